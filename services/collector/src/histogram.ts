/** A bucket and how many values are in it, at one precision: 2^bits buckets in one doubling. */
export interface BucketCount {
  readonly precisionBits: number;
  readonly bucket: number;
  readonly count: bigint;
}

/**
 * The bucket of a value, as the message Histogram defines it: with S = 2^bits, a value below S is its own; a larger one,
 * with e = floor(log2(value)) - bits, is in e * S + (value >> e); a negative one is in -1 - bucket(-value).
 */
export function bucketOf(value: bigint, precisionBits: number): number {
  if (value < 0n) return -1 - bucketOf(-value, precisionBits);
  const exponent = value.toString(2).length - 1 - precisionBits;
  if (exponent <= 0) return Number(value);
  return exponent * 2 ** precisionBits + Number(value >> BigInt(exponent));
}

/** The least and the greatest value of a bucket. */
export function boundsOf(bucket: number, precisionBits: number): readonly [low: bigint, high: bigint] {
  if (bucket < 0) {
    const [low, high] = boundsOf(-1 - bucket, precisionBits);
    return [-high, -low];
  }
  const width = 2 ** precisionBits;
  if (bucket < 2 * width) return [BigInt(bucket), BigInt(bucket)];
  const exponent = Math.floor(bucket / width) - 1;
  const low = BigInt(bucket - exponent * width) << BigInt(exponent);
  return [low, low + (1n << BigInt(exponent)) - 1n];
}

/** Merged counts of one precision, ascending. Counts of a finer one are put into the buckets of the coarsest. */
export function mergeBuckets(counts: readonly BucketCount[]): readonly BucketCount[] {
  const precisionBits = counts.reduce((least, { precisionBits: bits }) => Math.min(least, bits), 64);
  const merged = new Map<number, bigint>();
  for (const { precisionBits: bits, bucket, count } of counts) {
    const place = bits === precisionBits ? bucket : bucketOf(boundsOf(bucket, bits)[0], precisionBits);
    merged.set(place, (merged.get(place) ?? 0n) + count);
  }
  return [...merged].sort(([a], [b]) => a - b).map(([bucket, count]) => ({ precisionBits, bucket, count }));
}

/**
 * The value of nearest rank, to within its bucket (its middle) and never outside of the extremes.
 *
 * @param counts ascending, of one precision, at least one
 * @param permille 1 to 1000
 */
export function percentileOf(counts: readonly BucketCount[], permille: number, min: bigint, max: bigint): bigint {
  const total = counts.reduce((sum, { count }) => sum + count, 0n);
  const rank = (total * BigInt(permille) + 999n) / 1000n;
  let seen = 0n;
  for (const { precisionBits, bucket, count } of counts) {
    seen += count;
    if (seen < rank) continue;
    if (rank === total) return max;
    const [low, high] = boundsOf(bucket, precisionBits);
    const middle = (low + high) / 2n;
    return middle < min ? min : middle > max ? max : middle;
  }
  return max;
}
