import fc from "fast-check";
import { periodic, poisson, type Schedule } from "./schedule.ts";

const MS = 1_000_000n;

function take(schedule: Schedule, count: number): bigint[] {
  return Array.from({ length: count }, () => schedule.next());
}

test("periodic packets are due at multiples of the interval, however many", () => {
  const due = take(periodic(5n, MS), 10_000);
  expect([due[0], due[1], due[9999]]).toEqual([5n, 5n + MS, 5n + 9999n * MS]);
});

test("Poisson times ascend", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }), (draws) => {
      let at = 0;
      const due = take(
        poisson(7n, MS, () => draws[at++ % draws.length]!),
        50,
      );
      expect(due[0]).toBe(7n);
      expect(due.every((time, i) => i === 0 || time >= due[i - 1]!)).toBe(true);
    }),
  );
});

test("Poisson gaps are distributed exponentially", () => {
  // a stratified draw instead of a random one, so that the outcome is fixed
  const count = 100_000;
  let at = 0;
  const due = take(
    poisson(0n, MS, () => (((at++ * 61_803) % count) + 0.5) / count),
    count + 1,
  );
  const gaps = due.slice(1).map((time, i) => Number(time - due[i]!) / Number(MS));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / count;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / count;
  expect(mean).toBeCloseTo(1, 3);
  expect(variance).toBeCloseTo(1, 2);
  for (const x of [0.5, 1, 2, 4]) {
    expect(gaps.filter((gap) => gap > x).length / count).toBeCloseTo(Math.exp(-x), 4);
  }
});
