import { LogHistogram } from "@waymark/stats";
import fc from "fast-check";
import { type BucketCount, boundsOf, bucketOf, mergeBuckets, percentileOf } from "./histogram.ts";

const MAX = 2n ** 62n;
const value = fc.oneof(fc.bigInt({ min: -MAX, max: MAX }), fc.bigInt({ min: -1000n, max: 1000n }));
const precision = fc.integer({ min: 1, max: 12 });

function countsOf(values: readonly bigint[], precisionBits: number): readonly BucketCount[] {
  return mergeBuckets(values.map((each) => ({ precisionBits, bucket: bucketOf(each, precisionBits), count: 1n })));
}

test("a value lies within its bucket, whose width is a share of it", () => {
  fc.assert(
    fc.property(value, precision, (each, bits) => {
      const [low, high] = boundsOf(bucketOf(each, bits), bits);
      expect(low <= each && each <= high).toBe(true);
      const least = each < 0n ? -high : low;
      expect((high - low) << BigInt(bits) <= least).toBe(true);
    }),
  );
});

test("buckets are those that agents report", () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeInteger(), { minLength: 1 }), (values) => {
      const histogram = new LogHistogram();
      for (const each of values) histogram.add(each);
      const { precisionBits, buckets, counts } = histogram.toBuckets();
      const ours = countsOf(values.map(BigInt), precisionBits);
      expect(ours.map(({ bucket }) => bucket)).toEqual(buckets);
      expect(ours.map(({ count }) => count)).toEqual(counts);
      for (const permille of [500, 990, 999, 1000]) {
        const told = percentileOf(ours, permille, BigInt(histogram.min ?? 0), BigInt(histogram.max ?? 0));
        const [low, high] = boundsOf(bucketOf(told, precisionBits), precisionBits);
        // The agent's own middle may be rounded to the other side.
        const theirs = BigInt(histogram.percentile(permille / 10) ?? 0);
        expect(low <= theirs && theirs <= high).toBe(true);
      }
    }),
  );
});

test("merging counts of two precisions is the same as counting all at the coarser one", () => {
  fc.assert(
    fc.property(fc.array(value), fc.array(value, { minLength: 1 }), precision, precision, (a, b, bits, others) => {
      const coarse = Math.min(bits, others);
      const both = mergeBuckets([...countsOf(a, Math.max(bits, others)), ...countsOf(b, coarse)]);
      expect(both).toEqual(countsOf([...a, ...b], coarse));
    }),
  );
});

test("percentiles are those of the sorted values to within their bucket, and never beyond the extremes", () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 300 }),
      fc.integer({ min: 1, max: 1000 }),
      (values, permille) => {
        const sorted = values.toSorted((x, y) => (x < y ? -1 : x > y ? 1 : 0));
        const [min, max] = [sorted[0] ?? 0n, sorted.at(-1) ?? 0n];
        const exact = sorted[Math.ceil((permille * values.length) / 1000) - 1] ?? 0n;
        const told = percentileOf(countsOf(values, 7), permille, min, max);
        const [low, high] = boundsOf(bucketOf(exact, 7), 7);
        expect(told >= min && told <= max && low <= told && told <= high).toBe(true);
      },
    ),
  );
});
