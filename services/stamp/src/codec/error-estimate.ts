import type { TimeFormat } from "./time-stamp.ts";

/**
 * How far a clock may be off (RFC 4656 section 4.1.2, with the Z bit of RFC 8186): `multiplier` · 2^`scale` · 2^-32 s.
 */
export interface ErrorEstimate {
  /** S: the clock is synchronised to UTC by an external source. */
  readonly synchronised: boolean;
  /** Z: the format of the time stamps that it stands with. */
  readonly format: TimeFormat;
  /** 0–63. */
  readonly scale: number;
  /** 1–255; 0 is corrupt. */
  readonly multiplier: number;
}

const LARGEST_SCALE = 63;
const LARGEST_MULTIPLIER = 255n;
const SECOND = 1_000_000_000n;

/** The fields of the 16 bits in a packet. */
export function parseErrorEstimate(bits: number): ErrorEstimate {
  return {
    synchronised: (bits & 0x8000) !== 0,
    format: (bits & 0x4000) !== 0 ? "ptp" : "ntp",
    scale: (bits >> 8) & 0x3f,
    multiplier: bits & 0xff,
  };
}

/** The 16 bits in a packet. */
export function errorEstimateBits(estimate: ErrorEstimate): number {
  const { synchronised, format, scale, multiplier } = estimate;
  return (synchronised ? 0x8000 : 0) | (format === "ptp" ? 0x4000 : 0) | ((scale & 0x3f) << 8) | (multiplier & 0xff);
}

/** The least estimate that is no less than `errorNs`; the multiplier is never 0. An error that none can hold becomes the largest. */
export function estimateError(errorNs: bigint, synchronised: boolean, format: TimeFormat): ErrorEstimate {
  const units = errorNs <= 0n ? 1n : divideUp(errorNs << 32n, SECOND);
  for (let scale = 0; scale <= LARGEST_SCALE; scale++) {
    const multiplier = divideUp(units, 2n ** BigInt(scale));
    if (multiplier <= LARGEST_MULTIPLIER) return { synchronised, format, scale, multiplier: Number(multiplier) };
  }
  return { synchronised, format, scale: LARGEST_SCALE, multiplier: Number(LARGEST_MULTIPLIER) };
}

/** The error in nanoseconds, rounded up. Undefined if the multiplier is 0, which says nothing (RFC 4656: corrupt). */
export function errorOf(estimate: ErrorEstimate): bigint | undefined {
  if (estimate.multiplier === 0) return undefined;
  return divideUp((BigInt(estimate.multiplier) << BigInt(estimate.scale)) * SECOND, 2n ** 32n);
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
