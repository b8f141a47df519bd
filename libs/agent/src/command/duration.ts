/** Nanoseconds in each unit that a duration may be written in. */
const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const PART = /(\d+)?(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
const BARE = /^(\d+)?(?:\.(\d*))?$/;

/** The longest duration: a signed 64-bit count of nanoseconds (292 years). */
const MAX_NS = 2n ** 63n - 1n;

/**
 * Nanoseconds of "5s", "100ms", "1.5h", "1m30s", or of a bare number of `bareUnit` ("10", "0.5").
 * Exact: no floating point; what is finer than a nanosecond is cut off. Undefined if the text is not a duration.
 */
export function parseDuration(text: string, bareUnit: "s" | "ms"): bigint | undefined {
  const bare = BARE.exec(text);
  if (bare !== null) return bounded(scale(bare[1], bare[2], UNIT_NS[bareUnit] ?? 0n));
  let total = 0n;
  PART.lastIndex = 0;
  do {
    const part = PART.exec(text);
    const ns = part === null ? undefined : scale(part[1], part[2], UNIT_NS[part[3] ?? ""] ?? 0n);
    if (ns === undefined) return undefined;
    total += ns;
  } while (PART.lastIndex < text.length);
  return bounded(total);
}

function scale(whole: string | undefined, fraction: string | undefined, unitNs: bigint): bigint | undefined {
  if (!whole && !fraction) return undefined;
  const digits = fraction ?? "";
  return BigInt(whole ?? "0") * unitNs + (BigInt(`0${digits}`) * unitNs) / 10n ** BigInt(digits.length);
}

function bounded(ns: bigint | undefined): bigint | undefined {
  return ns === undefined || ns > MAX_NS ? undefined : ns;
}
