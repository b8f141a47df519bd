import type { DelayBatch, DelaySamples, DelaySession, DelaySummary } from "@waymark/proto/report";
import { MAX_PACKETS, validateTime } from "./fields.ts";
import { check } from "./refusal.ts";
import { validateDistribution } from "./validate-distribution.ts";
import { isAddress } from "./validate-flow-key.ts";

const MAX_16_BITS = 0xffff;
const MAX_DSCP = 63;
// Beyond any delay, error or wait: 146 years.
const MAX_NS = 2n ** 62n;

/** @throws Refusal with the first thing that cannot be true */
export function validateDelay({ sessions, summaries, samples }: DelayBatch, nowNs: bigint): void {
  for (const session of sessions) validateSession(session);
  for (const summary of summaries) validateSummary(summary, sessions.length, nowNs);
  if (samples !== undefined) validateSamples(samples, sessions.length, nowNs);
}

function validateSession(session: DelaySession): void {
  const addressed = isAddress(session.senderAddress) && isAddress(session.reflectorAddress);
  check(addressed, "delay", "a session's address is not 16 octets");
  const words = Math.max(session.senderPort, session.reflectorPort, session.ssid);
  check(words <= MAX_16_BITS, "delay", "a port or the ssid is more than 65535");
  check(session.dscp <= MAX_DSCP, "delay", `dscp ${session.dscp} is more than ${MAX_DSCP}`);
}

function validateSummary(summary: DelaySummary, sessions: number, nowNs: bigint): void {
  const { session, fromNs, toNs, sentPackets, receivedPackets, lostPackets } = summary;
  check(session < sessions, "delay", `a summary of session ${session}, there are ${sessions}`);
  validateTime("from_ns", fromNs, nowNs);
  validateTime("to_ns", toNs, nowNs);
  check(fromNs <= toNs, "delay", "to_ns is before from_ns");
  const { lostForwardPackets: forward, lostBackwardPackets: backward } = summary;
  const counts = [sentPackets, receivedPackets, lostPackets, forward ?? 0n, backward ?? 0n];
  const more = [summary.duplicatePackets, summary.reorderedPackets, summary.latePackets];
  check(
    [...counts, ...more].every((count) => count <= MAX_PACKETS),
    "delay",
    "more packets than any link carries",
  );
  check(lostPackets <= sentPackets, "delay", `${lostPackets} of ${sentPackets} packets cannot be lost`);
  validateDistribution("forward", summary.forward);
  validateDistribution("backward", summary.backward);
  validateDistribution("round_trip", summary.roundTrip);
  validateDistribution("residence", summary.residence);
  const times = [
    ...[summary.forwardJitterNs, summary.backwardJitterNs, summary.roundTripJitterNs],
    ...[summary.forwardIpdvNs, summary.backwardIpdvNs, summary.roundTripIpdvNs],
    ...[summary.errorNs, summary.waitNs],
  ];
  check(
    times.every((ns) => (ns ?? 0n) <= MAX_NS),
    "delay",
    "a jitter, variation, error or wait is beyond 146 years",
  );
}

function validateSamples(samples: DelaySamples, sessions: number, nowNs: bigint): void {
  const { session, sequence, atNs, forwardNs, backwardNs, roundTripNs } = samples;
  const count = session.length;
  const even = [sequence, atNs, forwardNs, backwardNs, roundTripNs].every((column) => column.length === count);
  check(even, "delay", "the columns of samples are not equally long");
  for (const place of session) check(place < sessions, "delay", `a sample of session ${place}, there are ${sessions}`);
  for (const ns of atNs) validateTime("a sample's at_ns", ns, nowNs);
  for (const column of [forwardNs, backwardNs, roundTripNs]) {
    for (const ns of column) check(ns <= MAX_NS && ns >= -MAX_NS, "delay", `a delay of ${ns} ns is impossible`);
  }
}
