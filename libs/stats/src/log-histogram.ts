/** Buckets in one doubling are 2^7: a value is told to 0.8 % (1/128). */
export const PRECISION_BITS = 7;
const LINEAR = 2 ** PRECISION_BITS;
/** Beyond, numbers are no longer exact; 104 days in nanoseconds. */
const LIMIT = Number.MAX_SAFE_INTEGER;

/** A histogram as it travels: the proto message `Histogram`. */
export interface HistogramBuckets {
  readonly precisionBits: number;
  /** Ascending, each once. */
  readonly buckets: readonly number[];
  /** As many as buckets. */
  readonly counts: readonly bigint[];
}

/**
 * Counts of signed integers in buckets that widen with the value: exact below 128, within 1/128 above. Histograms add
 * up, so percentiles can be taken over any set of intervals. Also knows the exact count, minimum, maximum and sum.
 */
export class LogHistogram {
  readonly #counts = new Map<number, number>();
  #count = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #sum = 0n;

  get count(): number {
    return this.#count;
  }

  /** The least value; undefined while empty. */
  get min(): number | undefined {
    return this.#count > 0 ? this.#min : undefined;
  }

  get max(): number | undefined {
    return this.#count > 0 ? this.#max : undefined;
  }

  get sum(): bigint {
    return this.#sum;
  }

  /** The arithmetic mean; undefined while empty. */
  get mean(): number | undefined {
    return this.#count > 0 ? Number(this.#sum) / this.#count : undefined;
  }

  /**
   * Adds a value, `times` times.
   * @throws RangeError unless it is a safe integer
   */
  add(value: number, times = 1): void {
    const bucket = bucketOf(value);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + times);
    this.#count += times;
    this.#sum += BigInt(value) * BigInt(times);
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** Adds all values of another one. */
  merge(other: LogHistogram): void {
    for (const [bucket, count] of other.#counts) this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /**
   * The value of nearest rank: the smallest that at least `percent` of all values do not exceed, to within its bucket
   * (its middle), and never outside of minimum and maximum. Undefined while empty.
   * @throws RangeError unless 0 ≤ percent ≤ 100
   */
  percentile(percent: number): number | undefined {
    if (!(percent >= 0 && percent <= 100)) throw new RangeError(`percentile ${percent} is not 0 to 100`);
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count));
    if (rank === this.#count) return this.#max;
    let seen = 0;
    for (const [bucket, count] of this.#sorted()) {
      seen += count;
      if (seen >= rank) return Math.min(this.#max, Math.max(this.#min, middleOf(bucket)));
    }
    return this.#max;
  }

  /** As it travels. */
  toBuckets(): HistogramBuckets {
    const sorted = this.#sorted();
    return {
      precisionBits: PRECISION_BITS,
      buckets: sorted.map(([bucket]) => bucket),
      counts: sorted.map(([, count]) => BigInt(count)),
    };
  }

  #sorted(): [bucket: number, count: number][] {
    return [...this.#counts].sort(([a], [b]) => a - b);
  }
}

/**
 * The bucket of a value: a value below 128 is its own; above, with e = floor(log2(value)) - 7, it is
 * e · 128 + floor(value / 2^e); a negative value v is in -1 - bucket(-v).
 * @throws RangeError unless it is a safe integer
 */
export function bucketOf(value: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no integer of at most ${LIMIT}`);
  if (value < 0) return -1 - bucketOf(-value);
  if (value < LINEAR) return value + 0; // -0 becomes 0
  const exponent = floorLog2(value) - PRECISION_BITS;
  return exponent * LINEAR + Math.floor(value / 2 ** exponent);
}

/** The least and the greatest integer of a bucket. */
export function boundsOf(bucket: number): readonly [low: number, high: number] {
  if (bucket < 0) {
    const [low, high] = boundsOf(-1 - bucket);
    return [-high, -low];
  }
  if (bucket < 2 * LINEAR) return [bucket, bucket];
  const exponent = Math.floor(bucket / LINEAR) - 1;
  const low = (bucket - exponent * LINEAR) * 2 ** exponent;
  return [low, low + 2 ** exponent - 1];
}

function middleOf(bucket: number): number {
  const [low, high] = boundsOf(bucket);
  return low + Math.floor((high - low) / 2);
}

/** Exact also where Math.log2 rounds up. */
function floorLog2(value: number): number {
  const high = Math.floor(value / 2 ** 32);
  return high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(value);
}
