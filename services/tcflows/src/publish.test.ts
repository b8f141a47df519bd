import { toBinary } from "@bufbuild/protobuf";
import type { ReportPayload } from "@waymark/agent";
import { Direction, type FlowBatch, FlowBatchSchema, FlowEndReason } from "@waymark/proto/report";
import { idOfKey, ipFlow } from "../test/flow-id.ts";
import { recordOf } from "../test/views.ts";
import { overflowId } from "./flow-key.ts";
import { RecordPublisher, recordMessage } from "./publish.ts";

const START_NS = 1_700_000_000_000_000_000n;
const wallNs = (ns: number) => START_NS + BigInt(ns);

function rig() {
  const batches: FlowBatch[] = [];
  let nowNs = 0;
  const publisher = new RecordPublisher({
    publisher: {
      publish: (payload: ReportPayload) => void batches.push(payload.value as FlowBatch),
      flush: async () => true,
    },
    timeline: { nowNs: () => nowNs, wallNs },
    hasLink: () => true,
  });
  return { publisher, batches, passS: (seconds: number) => (nowNs += seconds * 1e9) };
}

test("a record as it is published", () => {
  const id = ipFlow(6, "10.0.0.1:1000", "10.0.0.2:80", { vlan_id: 7 });
  const record = recordOf(id, {
    tcpFlags: 0x13,
    dscp: 46,
    end: "rst",
    sourceMac: 0x020000000001,
    duplicate: true,
    clockStepped: true,
  });
  expect(recordMessage(record, wallNs, true)).toMatchObject({
    flow: {
      sourceAddress: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1),
      destinationAddress: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2),
      protocol: 6,
      sourcePort: 1000,
      destinationPort: 80,
      vlanId: 7,
      etherType: 0,
      interface: "eth0",
      direction: Direction.EGRESS,
      overflow: false,
    },
    packets: 7n,
    l3Bytes: 700n,
    l2Bytes: 798n,
    firstNs: START_NS + 1_500_000_000n,
    lastNs: START_NS + 2_000_000_000n,
    flowStartNs: START_NS + 1_000_000_000n,
    tcpFlags: 0x13,
    sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    destinationMac: Uint8Array.of(0, 0, 0, 0, 0, 2),
    dscp: 46,
    endReason: FlowEndReason.END_OF_FLOW,
    duplicate: true,
    clockStepped: true,
  });
});

test.each([
  ["fin", FlowEndReason.END_OF_FLOW],
  ["idle", FlowEndReason.IDLE_TIMEOUT],
  ["shutdown", FlowEndReason.FORCED_END],
  ["resources", FlowEndReason.LACK_OF_RESOURCES],
  [undefined, FlowEndReason.ACTIVE_TIMEOUT],
] as const)("the reason %s", (end, reason) => {
  expect(recordMessage(recordOf(idOfKey({ ether_type: 0x806 }), { end }), wallNs, true).endReason).toBe(reason);
});

test("without a link header there are neither frames nor MACs; without IP no addresses", () => {
  const none = { l2Bytes: 0n, sourceMac: new Uint8Array(0), destinationMac: new Uint8Array(0) };
  expect(recordMessage(recordOf(ipFlow(17, "10.0.0.1:1", "10.0.0.2:2")), wallNs, false)).toMatchObject(none);
  const noAddress = { sourceAddress: new Uint8Array(0), destinationAddress: new Uint8Array(0) };
  const arp = recordMessage(recordOf(idOfKey({ ether_type: 0x806 })), wallNs, true);
  expect(arp.flow).toMatchObject({ ...noAddress, etherType: 0x806 });
  const overflow = recordMessage(recordOf(overflowId("ingress", 17)), wallNs, true);
  expect(overflow.flow).toMatchObject({ ...noAddress, protocol: 17, overflow: true, direction: Direction.INGRESS });
});

test("batches stay below 64 KiB, and hold every record in order", () => {
  const { publisher, batches } = rig();
  const big = { packets: 2 ** 52, l3Bytes: 2 ** 52, l2Bytes: 2 ** 52, tcpFlags: 0xfff, dscp: 63, duplicate: true };
  for (let i = 1; i <= 2000; i++) {
    const id = ipFlow(17, `[fd00:ffff::1]:${60_000 + i}`, "[fd00:ffff::2]:65535", { vlan_id: 4095 });
    publisher.record(recordOf(id, { ...big, device: "a-long-name-15b" }));
  }
  publisher.flush();
  expect(Math.max(...batches.map((batch) => toBinary(FlowBatchSchema, batch).length))).toBeLessThan(63 * 1024);
  const ports = batches.flatMap(({ records }) => records.map(({ flow }) => flow?.sourcePort));
  expect(ports).toEqual(Array.from({ length: 2000 }, (_, i) => 60_001 + i));
});

test("an agent without flows reports that it lives", () => {
  const { publisher, batches, passS } = rig();
  publisher.flush();
  publisher.flush();
  expect(batches.map(({ records }) => records.length)).toEqual([0]);
  passS(5);
  publisher.flush();
  publisher.record(recordOf(ipFlow(17, "10.0.0.1:1", "10.0.0.2:2")));
  publisher.flush();
  passS(4);
  publisher.flush();
  expect(batches.map(({ records }) => records.length)).toEqual([0, 0, 1]);
});
