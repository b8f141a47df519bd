import type { BpfMap, BpfObject, BpfRingBuffer, OpenBpfObject, OuterMap, PerCpuMap } from "@waymark/bpf-runtime";
import type { FeaturesSpec, SampleCount, SampleRecord } from "./bpf/features.gen.ts";

/** Never called: what does not compile without its directive, and what compiles with one, fails the type check. */
export function mistakes(open: OpenBpfObject<FeaturesSpec>, bpf: BpfObject<FeaturesSpec>): void {
  // @ts-expect-error there is no such map
  bpf.map("tabel");
  // @ts-expect-error a ring buffer is no map of values
  bpf.map("events");
  // @ts-expect-error a map is no ring buffer
  bpf.ringBuffer("table");
  // @ts-expect-error there is no such program
  bpf.program("features_sum");
  // @ts-expect-error there is no such constant
  open.rodata.set({ limits: 1 });
  // @ts-expect-error a member is missing
  open.rodata.set({ config: { limit: 1n, step: 2 } });
  // @ts-expect-error 64 bits are a bigint
  bpf.data.set({ runs: 1 });
  // @ts-expect-error the value has no such member
  bpf.map("table").get(1)?.octets;
  // @ts-expect-error the key is a number
  bpf.map("table").get(1n);
  // @ts-expect-error constants cannot be set after load
  bpf.rodata.set({ ports: [1] });
}

/** What the right names give. */
export function types(bpf: BpfObject<FeaturesSpec>): void {
  bpf.map("table") satisfies BpfMap<number, SampleCount>;
  bpf.map("totals") satisfies PerCpuMap<number, SampleCount>;
  bpf.map("tables") satisfies OuterMap<number, number, SampleCount>;
  bpf.ringBuffer("events") satisfies BpfRingBuffer<SampleRecord>;
  bpf.data.get("runs") satisfies bigint;
  bpf.rodata.get("ports") satisfies readonly number[];
}

test("mistakes are found by the type check, which `npm run check` runs", () => {
  expect([mistakes, types]).toHaveLength(2);
});
