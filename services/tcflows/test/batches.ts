import type { Batch } from "@waymark/bpf-runtime";
import { type TcflowsCount, tcflowsCount, tcflowsKey } from "../bpf/tcflows.gen.ts";
import type { FlowId } from "../src/flow-key.ts";

const NOTHING: TcflowsCount = {
  packets: 0n,
  l3_bytes: 0n,
  l2_bytes: 0n,
  first_ns: 0n,
  last_ns: 0n,
  tcp_flags: 0,
  dscp: 0,
  macs: new Uint8Array(12),
};

/** Elements as the kernel hands them out, by the generated codecs. */
export function batchOf(flows: readonly (readonly [FlowId, Partial<TcflowsCount>])[]): Batch {
  const keys = new Uint8Array(tcflowsKey.size * flows.length);
  const values = new DataView(new ArrayBuffer(tcflowsCount.size * flows.length));
  for (const [i, [id, count]] of flows.entries()) {
    keys.set(Buffer.from(id, "latin1"), i * tcflowsKey.size);
    tcflowsCount.encode(values, i * tcflowsCount.size, { ...NOTHING, ...count }, "count");
  }
  return { keys: new DataView(keys.buffer), values, count: flows.length };
}
