import fc from "fast-check";
import { touchedByStep } from "./clock-step.ts";

const L = 1000n;
const D = 250n;

test("a step inside a block touches that block alone at the source", () => {
  const step = { beforeNs: 5_400n, afterNs: 5_600n };
  expect([4n, 5n, 6n].filter((block) => touchedByStep("source", block, L, D, step))).toEqual([5n]);
});

test("a step near a boundary touches the neighbour too at the sink, where packets of both arrive", () => {
  const step = { beforeNs: 5_900n, afterNs: 5_950n };
  expect([4n, 5n, 6n, 7n].filter((block) => touchedByStep("sink", block, L, D, step))).toEqual([5n, 6n]);
});

test("a step over several blocks touches all of them, forward and back alike", () => {
  const touched = (beforeNs: bigint, afterNs: bigint) =>
    [2n, 3n, 4n, 5n, 6n].filter((block) => touchedByStep("source", block, L, D, { beforeNs, afterNs }));
  expect(touched(3_500n, 5_500n)).toEqual([3n, 4n, 5n]);
  expect(touched(5_500n, 3_500n)).toEqual([3n, 4n, 5n]);
});

test("the block of either moment is always touched", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 100_000n), fc.bigInt(0n, 100_000n), (beforeNs, afterNs) => {
      const step = { beforeNs, afterNs };
      return touchedByStep("source", beforeNs / L, L, D, step) && touchedByStep("source", afterNs / L, L, D, step);
    }),
  );
});
