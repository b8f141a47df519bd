/** NTP 64-bit (RFC 5905 section 6), or the truncated PTPv2 format (IEEE 1588, RFC 8877 section 4.3). */
export type TimeFormat = "ntp" | "ptp";

const NTP_UNIX_SECONDS = 2_208_988_800n;
const SECOND = 1_000_000_000n;
const WORD = 0xffff_ffffn;
/** Seconds of a 32-bit field start over after so many. */
const ERA = 2n ** 32n;

/**
 * The 64 bits of a time in a packet: seconds in the upper half. NTP time counts from 1900 (UTC), PTP time from 1970 (TAI).
 * @param unixNs nanoseconds since the Unix epoch, before or after it
 * @param taiOffsetS TAI − UTC in seconds, used by `ptp`; 0 writes Unix time
 */
export function encodeTime(unixNs: bigint, format: TimeFormat, taiOffsetS: number): bigint {
  const [seconds, nanoseconds] = split(unixNs);
  if (format === "ptp") return (((seconds + BigInt(taiOffsetS)) & WORD) << 32n) | nanoseconds;
  return (((seconds + NTP_UNIX_SECONDS) & WORD) << 32n) | ((nanoseconds << 32n) / SECOND);
}

/**
 * Nanoseconds since the Unix epoch of the 64 bits of a time in a packet, which do not say in which era of 2^32 s they are
 * (NTP starts over on 7 February 2036): of all readings the nearest to `nearNs`.
 * Undefined for what is no time: all zero (RFC 5905: unknown), or a PTP time with 10^9 nanoseconds or more.
 */
export function decodeTime(bits: bigint, format: TimeFormat, taiOffsetS: number, nearNs: bigint): bigint | undefined {
  if (bits === 0n) return undefined;
  const low = bits & WORD;
  if (format === "ptp" && low >= SECOND) return undefined;
  const epoch = format === "ptp" ? BigInt(taiOffsetS) : NTP_UNIX_SECONDS;
  const nanoseconds = format === "ptp" ? low : (low * SECOND + 2n ** 31n) >> 32n;
  const [near] = split(nearNs);
  const behind = BigInt.asIntN(32, ((bits >> 32n) & WORD) - ((near + epoch) % ERA));
  return (near + behind) * SECOND + nanoseconds;
}

/** Whole seconds, rounded down, and the nanoseconds above them. */
function split(unixNs: bigint): readonly [seconds: bigint, nanoseconds: bigint] {
  const nanoseconds = ((unixNs % SECOND) + SECOND) % SECOND;
  return [(unixNs - nanoseconds) / SECOND, nanoseconds];
}
