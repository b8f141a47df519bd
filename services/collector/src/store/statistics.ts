import { type BucketCount, mergeBuckets, percentileOf } from "../histogram.ts";
import type { SqlRow } from "./store.ts";

/** Merged distributions, in nanoseconds. */
export interface StatisticsRow {
  readonly count: bigint;
  readonly min: bigint;
  readonly max: bigint;
  /** To the nearest nanosecond. */
  readonly mean: bigint;
  /** Undefined when not all values are in histograms. */
  readonly percentiles: Percentiles | undefined;
}

/** To within `errorRatio` of the value. */
export interface Percentiles {
  readonly p50: bigint;
  readonly p90: bigint;
  readonly p95: bigint;
  readonly p99: bigint;
  readonly p999: bigint;
  readonly errorRatio: number;
}

// A bucket and its precision in one number, so that one sumMap merges histograms of any precision.
const PRECISION_STEP = 2 ** 32;

/** SQL that merges the distributions of a group; read with `statisticsRow`. */
export function mergedDistribution(name: string): string {
  return `sum(${name}_count) AS ${name}_n, minIf(${name}_min_ns, ${name}_count > 0) AS ${name}_low,
    maxIf(${name}_max_ns, ${name}_count > 0) AS ${name}_high, toString(sum(toInt128(${name}_sum_ns))) AS ${name}_total,
    sumMap(arrayMap(b -> toInt64(${name}_precision_bits) * ${PRECISION_STEP} + b, ${name}_buckets), ${name}_counts)
      AS ${name}_histogram`;
}

/** Reads what `mergedDistribution` has answered. */
export function statisticsRow(row: SqlRow, name: string): StatisticsRow {
  const integer = (key: string) => BigInt(String(row[`${name}_${key}`]));
  const [count, min, max] = [integer("n"), integer("low"), integer("high")];
  const [keys, counts] = row[`${name}_histogram`] as [readonly unknown[], readonly unknown[]];
  const buckets = mergeBuckets(keys.map((key, index) => bucketCount(Number(key), BigInt(String(counts[index])))));
  const counted = buckets.reduce((sum, bucket) => sum + bucket.count, 0n);
  return {
    count,
    min,
    max,
    mean: count === 0n ? 0n : dividedRounded(integer("total"), count),
    percentiles: count > 0n && counted === count ? percentilesOf(buckets, min, max) : undefined,
  };
}

function bucketCount(key: number, count: bigint): BucketCount {
  const precisionBits = Math.floor((key + PRECISION_STEP / 2) / PRECISION_STEP);
  return { precisionBits, bucket: key - precisionBits * PRECISION_STEP, count };
}

function percentilesOf(buckets: readonly BucketCount[], min: bigint, max: bigint): Percentiles {
  const at = (permille: number) => percentileOf(buckets, permille, min, max);
  const bits = buckets[0]?.precisionBits ?? 0;
  return { p50: at(500), p90: at(900), p95: at(950), p99: at(990), p999: at(999), errorRatio: 2 ** -bits };
}

/** The quotient to the nearest integer, halves away from zero. */
export function dividedRounded(dividend: bigint, divisor: bigint): bigint {
  const half = divisor / 2n;
  return (dividend < 0n ? dividend - half : dividend + half) / divisor;
}
