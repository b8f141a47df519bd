import { describePrivileged } from "@waymark/testkit";
import fc from "fast-check";
import { anyFrame, isRunnable } from "./arbitraries.ts";
import { type FlowSums, flowsOf } from "./reference.ts";
import { keyText, Rig, sumsOf } from "./rig.ts";

const PACKETS = 3000;
const CHUNK = 250;
const directions = ["ingress", "egress"] as const;

describePrivileged("the packet programs and a plain reference over the other parser", () => {
  test(`agree on flow, packets, both bytes, flags, DSCP and MACs of ${PACKETS} random, changed and cut packets`, () => {
    const seed = Number(process.env["SEED"] ?? 1);
    const packets = fc.sample(anyFrame.filter(isRunnable), { seed, numRuns: PACKETS });
    using rig = new Rig();
    for (let at = 0; at < packets.length; at += CHUNK) {
      const frames = packets
        .slice(at, at + CHUNK)
        .map((bytes, i) => ({ bytes, direction: directions[i % 2] ?? "egress" }));
      for (const { bytes, direction } of frames) rig.run(bytes, direction);
      const seen = new Map(rig.take().map(([key, count]) => [keyText(key), sumsOf(count)]));
      expect([seed, at, byName(seen)]).toEqual([seed, at, byName(flowsOf(frames))]);
    }
  });
});

function byName(flows: ReadonlyMap<string, FlowSums>): readonly (readonly [string, FlowSums])[] {
  return [...flows].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
