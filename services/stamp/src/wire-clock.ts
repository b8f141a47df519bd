import type { WallClock } from "@waymark/probe";
import { errorEstimateBits, estimateError } from "./codec/error-estimate.ts";
import type { TimeFormat } from "./codec/time-stamp.ts";

/** The variables by which packet programs tell the time. */
export interface WireClock {
  /** What to add to CLOCK_TAI for Unix time. */
  readonly stamp_unix_offset_ns: bigint;
  /** What to add to CLOCK_TAI for the time that goes into packets. */
  readonly stamp_wire_offset_ns: bigint;
  /** Error Estimate of that time, its 16 bits in the order in which they lie in a packet. */
  readonly stamp_error_estimate: bigint;
}

const NS_PER_S = 1_000_000_000n;
/** From 1900 to 1970. */
const NTP_EPOCH_NS = 2_208_988_800n * NS_PER_S;
/** TAI − UTC since 2017, for kernels that were not told (RFC 8877 section 4.3). */
const CURRENT_TAI_OFFSET_S = 37;

/** TAI − UTC in seconds: what the user says, else what the kernel was told, else today's. */
export function taiOffset(clock: Pick<WallClock, "health">, given: number | undefined): number {
  return given ?? (clock.health().taiOffsetS || CURRENT_TAI_OFFSET_S);
}

/** 16 bits that a program stores into packets as they are. */
function inMemoryOrder(bits: number): bigint {
  return BigInt(((bits & 0xff) << 8) | (bits >> 8));
}

/**
 * What packets are stamped with, and how well, at this moment of `clock`.
 *
 * @param trusted the operator vouches for the clock (`--trust-clock`)
 */
export function wireClock(
  clock: Pick<WallClock, "health" | "offsetFromTaiNs">,
  format: TimeFormat,
  taiOffsetS: number,
  trusted: boolean,
): WireClock {
  const unix = clock.offsetFromTaiNs();
  const { synchronised, maxErrorNs } = clock.health();
  return {
    stamp_unix_offset_ns: unix,
    stamp_wire_offset_ns: unix + (format === "ptp" ? BigInt(taiOffsetS) * NS_PER_S : NTP_EPOCH_NS),
    stamp_error_estimate: inMemoryOrder(errorEstimateBits(estimateError(maxErrorNs, synchronised || trusted, format))),
  };
}
