/** When figures are shown. Nanoseconds; `jitterNs` 0: together with the rest. */
export interface Intervals {
  readonly throughputNs: bigint;
  readonly jitterNs: bigint;
}

/** The end of an interval, and of which. */
export interface IntervalEnd {
  readonly atNs: bigint;
  readonly throughput: boolean;
  readonly jitter: boolean;
}

/** The first end after `afterNs`: intervals are aligned to multiples of their length since the Unix epoch. */
export function nextEnd(afterNs: bigint, { throughputNs, jitterNs }: Intervals): IntervalEnd {
  const throughput = nextMultiple(afterNs, throughputNs);
  const jitter = jitterNs === 0n ? throughput : nextMultiple(afterNs, jitterNs);
  const atNs = throughput < jitter ? throughput : jitter;
  return { atNs, throughput: atNs === throughput, jitter: atNs === jitter };
}

function nextMultiple(afterNs: bigint, lengthNs: bigint): bigint {
  return (afterNs / lengthNs + 1n) * lengthNs;
}
