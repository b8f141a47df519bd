import { create } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { Statistics } from "@waymark/proto/query";
import { type Distribution, DistributionSchema } from "@waymark/proto/report";
import { LogHistogram } from "@waymark/stats";
import type { Random } from "./random.ts";

const S = 1_000_000_000n;

/** A second. */
export const SECOND_NS = S;

/** Values as an agent would report them. */
export function distributionOf(values: readonly number[]): Distribution {
  const histogram = new LogHistogram();
  for (const value of values) histogram.add(value);
  return create(DistributionSchema, {
    count: BigInt(histogram.count),
    minNs: BigInt(histogram.min ?? 0),
    maxNs: BigInt(histogram.max ?? 0),
    sumNs: histogram.sum,
    histogram: {
      ...histogram.toBuckets(),
      buckets: [...histogram.toBuckets().buckets],
      counts: [...histogram.toBuckets().counts],
    },
  });
}

/** Delays of any size, from nanoseconds to seconds. */
export function someDelays(random: Random, most: number): readonly number[] {
  return Array.from({ length: random.below(most) }, () => random.below(10 ** (1 + random.below(10))));
}

/** A Duration in nanoseconds; undefined when it is absent. */
export function nsOfDuration(duration: Duration | undefined): bigint | undefined {
  return duration === undefined ? undefined : duration.seconds * S + BigInt(duration.nanos);
}

/** A Timestamp in nanoseconds since the Unix epoch; undefined when it is absent. */
export function nsOfTime(time: Timestamp | undefined): bigint | undefined {
  return time === undefined ? undefined : time.seconds * S + BigInt(time.nanos);
}

/** Nanoseconds since the Unix epoch as a Timestamp. */
export function timeOf(ns: bigint): { seconds: bigint; nanos: number } {
  return { seconds: ns / S, nanos: Number(ns % S) };
}

/** Statistics must be those of these values: exact, and percentiles to within the ratio that they say. */
export function expectStatistics(answer: Statistics | undefined, values: readonly number[]): void {
  const sorted = values.toSorted((a, b) => a - b);
  expect(answer?.count).toBe(BigInt(sorted.length));
  if (sorted.length === 0) {
    expect([answer?.min, answer?.mean, answer?.max, answer?.p50, answer?.p999]).toEqual(Array(5).fill(undefined));
    return;
  }
  expect(nsOfDuration(answer?.min)).toBe(BigInt(sorted[0]!));
  expect(nsOfDuration(answer?.max)).toBe(BigInt(sorted.at(-1)!));
  const sum = values.reduce((total, value) => total + BigInt(value), 0n);
  const twice = 2n * BigInt(sorted.length);
  const mean = nsOfDuration(answer?.mean)!;
  // Within half a nanosecond.
  expect(2n * sum - mean * twice <= BigInt(sorted.length) && mean * twice - 2n * sum <= BigInt(sorted.length)).toBe(
    true,
  );
  const ratio = answer!.percentileErrorRatio;
  expect(ratio).toBeGreaterThan(0);
  const told = [answer?.p50, answer?.p90, answer?.p95, answer?.p99, answer?.p999].map(nsOfDuration);
  for (const [index, share] of [0.5, 0.9, 0.95, 0.99, 0.999].entries()) {
    const exact = sorted[Math.ceil(Math.round(share * sorted.length * 1e6) / 1e6) - 1]!;
    expect(Math.abs(Number(told[index]) - exact)).toBeLessThanOrEqual(Math.abs(exact) * ratio);
  }
}
