import fc from "fast-check";
import { boundsOf, bucketOf, LogHistogram } from "./log-histogram.ts";

const value = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.maxSafeInteger(),
  fc.nat({ max: 53 }).map((bits) => Math.min(2 ** bits, Number.MAX_SAFE_INTEGER)),
);

function histogramOf(values: readonly number[]): LogHistogram {
  const histogram = new LogHistogram();
  for (const each of values) histogram.add(each);
  return histogram;
}

test("a value lies within its bucket, which is no wider than 1/128 of it", () => {
  fc.assert(
    fc.property(value, (each) => {
      const [low, high] = boundsOf(bucketOf(each));
      expect(low <= each && each <= high).toBe(true);
      expect(high - low).toBeLessThanOrEqual(Math.abs(each) / 128);
    }),
  );
});

test("buckets follow each other without gap or overlap, zero has one", () => {
  for (let bucket = 0; bucket < 46 * 128; bucket++) expect(boundsOf(bucket + 1)[0]).toBe(boundsOf(bucket)[1] + 1);
  expect([bucketOf(0), bucketOf(-0), bucketOf(1), bucketOf(-1)]).toEqual([0, 0, 1, -2]);
});

test("the layout is that of the wire format", () => {
  expect([127, 128, 255, 256, 257, 258, 1000, -1000].map(bucketOf)).toEqual([127, 128, 255, 256, 256, 257, 506, -507]);
});

test("percentiles are the sorted values' to within 1/128; count, sum and extremes are exact", () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      (values, percent) => {
        const histogram = histogramOf(values);
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1] ?? Number.NaN;
        const told = histogram.percentile(percent) ?? Number.NaN;
        expect(Math.abs(told - exact)).toBeLessThanOrEqual(Math.abs(exact) / 128);
        expect([histogram.count, histogram.min, histogram.max]).toEqual([values.length, sorted[0], sorted.at(-1)]);
        expect(histogram.sum).toBe(values.reduce((sum, each) => sum + BigInt(each), 0n));
      },
    ),
  );
});

test("merging is the same as adding all values to one", () => {
  fc.assert(
    fc.property(fc.array(value), fc.array(value), (a, b) => {
      const merged = histogramOf(a);
      merged.merge(histogramOf(b));
      const all = histogramOf([...a, ...b]);
      expect(merged.toBuckets()).toEqual(all.toBuckets());
      expect([merged.count, merged.sum, merged.min, merged.max]).toEqual([all.count, all.sum, all.min, all.max]);
    }),
  );
});

test("nothing is known of no values, and what is no integer is refused", () => {
  const empty = new LogHistogram();
  expect([empty.min, empty.max, empty.mean, empty.percentile(50)]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  for (const wrong of [0.5, Number.NaN, 2 ** 53]) expect(() => empty.add(wrong)).toThrow(RangeError);
  expect(() => empty.percentile(101)).toThrow(RangeError);
});
