import { check } from "./refusal.ts";

/** The longest interval: one day. */
export const MAX_INTERVAL_NS = 86_400_000_000_000n;

// Without control characters: names end up in terminals and metrics.
const PRINTABLE = /^[^\p{Cc}\p{Cs}]*$/u;
const MAX_PATH_LENGTH = 128;
const MAX_FLOW_LENGTH = 256;
// 2000-01-01 to 2200-01-01: outside, a clock was never set.
const FIRST_TIME_NS = 946_684_800_000_000_000n;
const LAST_TIME_NS = 7_258_118_400_000_000_000n;
/** How far a time may lie after the collector's. */
export const MAX_AHEAD_NS = 86_400_000_000_000n;

/** Beyond any link: 2^50 packets a day are 13 billion a second. Sums of a report's counts stay below 2^63. */
export const MAX_PACKETS = 2n ** 50n;
/** See {@link MAX_PACKETS}. */
export const MAX_BYTES = 2n ** 60n;

/** Whether it is 1 to `limit` characters without control characters. */
export function isName(name: string, limit: number): boolean {
  return name.length >= 1 && name.length <= limit && PRINTABLE.test(name);
}

/** @throws Refusal unless it is a time between 2000 and 2200 and at most a day after `nowNs` */
export function validateTime(name: string, timeNs: bigint, nowNs: bigint): void {
  const known = timeNs >= FIRST_TIME_NS && timeNs < LAST_TIME_NS;
  check(known, "time", `${name} ${timeNs} is not between the years 2000 and 2200`);
  check(timeNs <= nowNs + MAX_AHEAD_NS, "ahead", `${name} ${timeNs} is more than a day ahead of the collector`);
}

/** @throws Refusal unless it can be a path's name */
export function validatePathName(name: string): void {
  check(isName(name, MAX_PATH_LENGTH), "block", `path name is not 1 to ${MAX_PATH_LENGTH} printable characters`);
}

/** @throws Refusal unless it can be a flow's name */
export function validateFlowName(name: string): void {
  check(isName(name, MAX_FLOW_LENGTH), "flow", `flow name is not 1 to ${MAX_FLOW_LENGTH} printable characters`);
}

/** @throws Refusal unless 0 < interval ≤ 1 day */
export function validateInterval(intervalNs: bigint): void {
  const possible = intervalNs > 0n && intervalNs <= MAX_INTERVAL_NS;
  check(possible, "block", `interval_ns ${intervalNs} is not 1 to ${MAX_INTERVAL_NS}`);
}
