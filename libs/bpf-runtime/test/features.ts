import { type BpfObject, BpfObject as Objects, type SkbInput } from "@waymark/bpf-runtime";
import { type FeaturesSpec, featuresSpec, type SampleRecord } from "./bpf/features.gen.ts";

/** The test object, loaded as compiled. */
export function loadFeatures(): BpfObject<FeaturesSpec> {
  using open = Objects.open(featuresSpec);
  return open.load();
}

/** Octets of the packet of a test run. */
export const PACKET_BYTES = 64;

/** Runs `features_count` once for each mark. */
export function countMarks(bpf: BpfObject<FeaturesSpec>, marks: Iterable<number>): void {
  const program = bpf.program("features_count");
  for (const mark of marks) program.testRun({ ctx: { mark } satisfies SkbInput });
}

/** A record in which every member differs from zero. */
export const SAMPLE: SampleRecord = {
  sequence: 0xfedc_ba98_7654_3210n,
  offset_ns: -1n,
  point: { x: -2, y: -3 },
  points: [
    { x: 1, y: 2 },
    { x: 3, y: 4 },
  ],
  words: [1, 0xffff_ffff, 3],
  address: 0x0a00_0001,
  port: 862,
  kind: 2,
  level: -128,
  bytes: Uint8Array.of(1, 2, 3, 4, 5),
  flag: true,
  either: Uint8Array.of(9, 8, 7, 6),
  low: 0x1122,
  high: 0x3344,
  wide: 0x0102_0304_0506_0708n,
};
