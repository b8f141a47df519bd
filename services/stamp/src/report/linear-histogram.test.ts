import fc from "fast-check";
import { histogramProblem, LinearHistogram } from "./linear-histogram.ts";

const MS = 1_000_000;

test("outliers go to the first and the last bin, MIN and what is just below MAX to those next to them", () => {
  const histogram = new LinearHistogram({ bins: 5, minMs: 1, maxMs: 4 });
  for (const ms of [-3, 0.9, 1, 1.9, 2, 3.9999, 4, 99]) histogram.add(ms * MS);
  expect(histogram.line()).toBe("2 2 1 1 2\n");
});

test("every delay is counted exactly once, in whatever bins, however narrow", () => {
  const spec = fc
    .record({
      bins: fc.integer({ min: 3, max: 200 }),
      minMs: fc.double({ min: -100, max: 100, noNaN: true }),
      widthMs: fc.double({ min: 1e-6, max: 1000, noNaN: true }),
    })
    .map(({ bins, minMs, widthMs }) => ({ bins, minMs, maxMs: minMs + widthMs }))
    .filter(({ minMs, maxMs }) => minMs < maxMs);
  fc.assert(
    fc.property(spec, fc.array(fc.integer({ min: -2e9, max: 2e9 })), (each, delays) => {
      const histogram = new LinearHistogram(each);
      for (const delay of delays) histogram.add(delay);
      const counts = histogram.line().trim().split(" ").map(Number);
      expect(counts).toHaveLength(each.bins);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(delays.length);
    }),
  );
});

test("bins that make no sense are refused by name", () => {
  expect(histogramProblem({ bins: 10, minMs: 0, maxMs: 5 })).toBeUndefined();
  expect(histogramProblem({ bins: 2, minMs: 0, maxMs: 5 })).toBe("BINS 2 is no number from 3 to 10000");
  expect(histogramProblem({ bins: 10, minMs: 5, maxMs: 5 })).toBe("MIN 5 ms is not below MAX 5 ms");
  expect(() => new LinearHistogram({ bins: 0, minMs: 0, maxMs: 1 })).toThrow(RangeError);
});
