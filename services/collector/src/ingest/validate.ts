import type { Agent, ClockHealth, Report } from "@waymark/proto/report";
import { isName, validateTime } from "./fields.ts";
import { type KnownPayload, knownPayload } from "./kinds.ts";
import { check } from "./refusal.ts";

/** The largest report that is taken, in bytes. */
export const MAX_REPORT_BYTES = 1 << 20;
const IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_COUNTERS = 256;
const MAX_COUNTER_NAME = 64;
const MAX_SEQUENCE = 2n ** 53n - 1n;
const MAX_TAI_OFFSET_S = 1000;

/**
 * Whether a decoded report can be true. Says nothing about whether it is news.
 *
 * @returns its payload
 * @param nowNs the collector's clock; nothing may be more than a day ahead of it
 * @throws Refusal with the first thing that is wrong
 */
export function validateReport(report: Report, nowNs: bigint): KnownPayload {
  const payload = knownPayload(report);
  check(payload !== undefined, "unknown_kind", "unknown payload kind");
  check(report.agent !== undefined, "identity", "no agent");
  validateAgent(report.agent, payload.roles);
  check(IDENTIFIER.test(report.bootId), "identity", "boot_id is not 1 to 64 of A-Z a-z 0-9 _ -");
  const kernel = report.kernelBootId;
  check(kernel === "" || IDENTIFIER.test(kernel), "identity", "kernel_boot_id is not 1 to 64 of A-Z a-z 0-9 _ -");
  const { sequence } = report;
  check(sequence >= 1n && sequence <= MAX_SEQUENCE, "sequence", `sequence ${sequence} is not 1 to 2^53 - 1`);
  validateTime("sent_at_ns", report.sentAtNs, nowNs);
  check(report.clock !== undefined, "clock", "no clock health");
  validateClock(report.clock);
  validateCounters(report.counters);
  payload.validate(nowNs);
  return payload;
}

function validateAgent(agent: Agent, roles: readonly string[]): void {
  check(IDENTIFIER.test(agent.id), "identity", "agent id is not 1 to 64 of A-Z a-z 0-9 _ -");
  check(IDENTIFIER.test(agent.service), "identity", "service is not 1 to 64 of A-Z a-z 0-9 _ -");
  check(roles.includes(agent.role), "identity", `role is not ${roles.join(" or ")}`);
  check(isName(agent.interface, 64), "identity", "interface is not 1 to 64 printable characters");
  check(agent.host === "" || isName(agent.host, 255), "identity", "host is not 255 printable characters");
  check(agent.version === "" || isName(agent.version, 64), "identity", "version is not 64 printable characters");
}

function validateClock(clock: ClockHealth): void {
  check(Math.abs(clock.taiOffsetS) <= MAX_TAI_OFFSET_S, "clock", `tai_offset_s ${clock.taiOffsetS} is impossible`);
}

function validateCounters(counters: Report["counters"]): void {
  const names = Object.keys(counters);
  check(names.length <= MAX_COUNTERS, "counters", `${names.length} counters are more than ${MAX_COUNTERS}`);
  const named = names.every((name) => isName(name, MAX_COUNTER_NAME));
  check(named, "counters", `a counter's name is not 1 to ${MAX_COUNTER_NAME} printable characters`);
}
