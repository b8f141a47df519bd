import fc from "fast-check";
import { blockStart, colourOf, coverage } from "./block.ts";

const L = 10_000_000_000n;

test("the source covers the block, the sink half an interval more on both sides", () => {
  expect(coverage("source", 7n, L, 0n, 1000n * L)).toEqual({ fromNs: 7n * L, toNs: 8n * L });
  expect(coverage("sink", 7n, L, 0n, 1000n * L)).toEqual({ fromNs: 7n * L - L / 2n, toNs: 8n * L + L / 2n });
});

test("an end that came late or left early covers a part", () => {
  expect(coverage("source", 7n, L, 7n * L + 3n, 8n * L - 5n)).toEqual({ fromNs: 7n * L + 3n, toNs: 8n * L - 5n });
});

test("coverage never ends before it begins", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 100n), fc.bigInt(0n, 100n * L), fc.bigInt(0n, 100n * L), (block, attached, detached) => {
      const { fromNs, toNs } = coverage("sink", block, L, attached, detached);
      return fromNs <= toNs && fromNs >= blockStart(block, L) - L / 2n;
    }),
  );
});

test("colours alternate", () => {
  expect([4n, 5n, 6n].map(colourOf)).toEqual([0, 1, 0]);
});
