import type { Distribution, Histogram } from "@waymark/proto/report";
import { bucketOf } from "../histogram.ts";
import { check } from "./refusal.ts";

/** Beyond any delay, and small enough that differences of two stay within 64 bits: 146 years. */
const MAX_VALUE_NS = 2n ** 62n;
/** With more, a histogram is longer than the values that it tells of. */
const MAX_PRECISION_BITS = 12;
const MAX_BITS = 63;

/** @throws Refusal unless count, extremes, sum and histogram can be of the same values; absent: of none */
export function validateDistribution(name: string, distribution: Distribution | undefined): void {
  if (distribution === undefined) return;
  const { count, minNs, maxNs, sumNs, histogram } = distribution;
  if (count > 0n) {
    check(minNs <= maxNs, "distribution", `${name}: min_ns is more than max_ns`);
    check(minNs >= -MAX_VALUE_NS && maxNs <= MAX_VALUE_NS, "distribution", `${name}: a value is beyond 146 years`);
    // A mean between the extremes; the products are exact.
    const mean = count * minNs <= sumNs && sumNs <= count * maxNs;
    check(mean, "distribution", `${name}: the mean is not between min_ns and max_ns`);
  }
  if (histogram !== undefined && histogram.buckets.length > 0) validateHistogram(name, histogram, distribution);
  else
    check(histogram === undefined || histogram.counts.length === 0, "distribution", `${name}: counts without buckets`);
}

function validateHistogram(name: string, histogram: Histogram, { count, minNs, maxNs }: Distribution): void {
  const { precisionBits, buckets, counts } = histogram;
  const fine = precisionBits >= 1 && precisionBits <= MAX_PRECISION_BITS;
  check(fine, "distribution", `${name}: precision_bits ${precisionBits} is not 1 to ${MAX_PRECISION_BITS}`);
  check(buckets.length === counts.length, "distribution", `${name}: there are not as many counts as buckets`);
  const limit = (MAX_BITS - precisionBits + 1) * 2 ** precisionBits;
  let before = Number.NEGATIVE_INFINITY;
  let sum = 0n;
  for (const [index, bucket] of buckets.entries()) {
    check(bucket > before, "distribution", `${name}: buckets are not ascending`);
    check(bucket < limit && bucket >= -1 - limit, "distribution", `${name}: bucket ${bucket} is beyond 64 bits`);
    before = bucket;
    sum += counts[index] ?? 0n;
  }
  check(sum === count, "distribution", `${name}: the histogram counts ${sum} of ${count} values`);
  const [first] = buckets;
  const within = first === bucketOf(minNs, precisionBits) && buckets.at(-1) === bucketOf(maxNs, precisionBits);
  check(within, "distribution", `${name}: min_ns or max_ns is not in the histogram's outermost buckets`);
}
