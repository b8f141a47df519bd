import type { Answer } from "../stats/answer.ts";
import type { DelayMetric } from "../stats/delay-metric.ts";
import type { AnswerVerdict } from "../stats/session-stats.ts";
import type { Summary } from "../stats/summary.ts";
import type { SessionView } from "./session-view.ts";

/** One JSON object: an interval of a session (`interval`) or all of it (`summary`). What is not known is null. */
export function summaryJson(type: "interval" | "summary", session: SessionView, summary: Summary): string {
  const direction = summary.lostByDirection;
  return stringify({
    type,
    ...sessionFields(session),
    from_ns: summary.fromNs + summary.shiftNs,
    to_ns: summary.toNs + summary.shiftNs,
    sent_packets: summary.sent,
    received_packets: summary.received,
    lost_packets: summary.lost,
    lost_forward_packets: direction?.forward ?? null,
    lost_backward_packets: direction?.backward ?? null,
    loss_ratio: summary.lossRatio ?? null,
    late_packets: summary.late,
    duplicate_packets: summary.duplicates,
    reordered_packets: summary.reordered,
    without_times_packets: summary.withoutTimes,
    forward: metricFields(summary.forward),
    backward: metricFields(summary.backward),
    round_trip: metricFields(summary.roundTrip),
    residence: metricFields(summary.residence),
    one_way_trust: summary.trust,
    one_way_error_ns: summary.errorBar.errorNs ?? null,
    synchronised: summary.synchronised,
    clock_offset_ns: summary.clockOffsetNs ?? null,
  });
}

/** One JSON object: an answer. */
export function answerJson(session: SessionView, answer: Answer, { kind, delays }: AnswerVerdict): string {
  return stringify({
    type: "answer",
    ...sessionFields(session),
    kind,
    sequence: answer.sequence,
    reflector_sequence: answer.reflectorSequence,
    sent_ns: answer.t1Ns,
    forward_ns: delays?.forwardNs ?? null,
    backward_ns: delays?.backwardNs ?? null,
    round_trip_ns: delays?.roundTripNs ?? null,
    residence_ns: delays?.residenceNs ?? null,
    sender_ttl: answer.senderTtl,
  });
}

function sessionFields({ host, address, port, ssid, authenticated }: SessionView): Record<string, unknown> {
  return { host, address, port, ssid, authenticated };
}

function metricFields(metric: DelayMetric): Record<string, unknown> {
  const { histogram } = metric;
  const rounded = (ns: number | undefined) => (ns === undefined ? null : Math.round(ns));
  return {
    count: histogram.count,
    min_ns: rounded(histogram.min),
    mean_ns: rounded(histogram.mean),
    p50_ns: rounded(histogram.percentile(50)),
    p95_ns: rounded(histogram.percentile(95)),
    p99_ns: rounded(histogram.percentile(99)),
    p99_9_ns: rounded(histogram.percentile(99.9)),
    max_ns: rounded(histogram.max),
    jitter_ns: rounded(metric.jitterNs),
    ipdv_ns: rounded(metric.ipdvNs),
    pdv_p99_9_ns: rounded(metric.pdvNs(99.9)),
  };
}

/** 64-bit numbers as decimal strings beyond 2^53 − 1. */
function stringify(fields: Record<string, unknown>): string {
  return JSON.stringify(fields, (_key, value) => (typeof value === "bigint" ? jsonNumber(value) : value));
}

function jsonNumber(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
}
