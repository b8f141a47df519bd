import { flowmonBank, flowmonFlow, flowmonKey } from "../bpf/flowmon.gen.ts";
import { IntervalSum } from "./interval.ts";
import { type RawFlows, readFlows } from "./reading.ts";

const EPOCH = 2;
const PACKETS = 5n;

/** One flow with packets in EPOCH, as the kernel has it. */
function oneFlow(): RawFlows {
  const keys = new DataView(new ArrayBuffer(flowmonKey.size));
  const values = new DataView(new ArrayBuffer(flowmonFlow.size));
  flowmonKey.encode(keys, 0, { ...flowmonKey.decode(keys, 0), version: 4, protocol: 17 }, "key");
  const at = flowmonFlow.size - 2 * flowmonBank.size;
  flowmonBank.encode(values, at, { ...flowmonBank.decode(values, at), epoch: EPOCH, packets: PACKETS }, "bank");
  return { keys, values, count: 1 };
}

test("the same addresses and ports on two interfaces are two flows, in two readings of one", () => {
  const sum = new IntervalSum();
  for (const device of ["eth0", "eth1", "eth0"]) {
    sum.add({ flows: [...readFlows(oneFlow(), EPOCH, device, false)], overflow: [] });
  }
  const { flows } = sum.take(0n, 1n);
  expect(flows.map(({ id, figures }) => [id.interface, figures.packets])).toEqual([
    ["eth0", 2n * PACKETS],
    ["eth1", PACKETS],
  ]);
});
