import { create } from "@bufbuild/protobuf";
import {
  type Delay,
  type DelaySample,
  DelaySampleSchema,
  DelaySchema,
  type DelaySession,
  DelaySessionSchema,
  type OneWayDelay,
  OneWayDelaySchema,
  type PacketCounts,
  PacketCountsSchema,
  type RoundTrip,
  RoundTripSchema,
  type Rtt,
  type RttSample,
  RttSampleSchema,
  RttSchema,
  RttSide,
  type Statistics,
  StatisticsSchema,
} from "@waymark/proto/query";
import type { DelayRow, DelaySampleRow, SessionRow, WayRow } from "../store/delay-query.ts";
import type { RttRow, RttSampleRow } from "../store/rtt-query.ts";
import type { StatisticsRow } from "../store/statistics.ts";
import { flowMessage } from "./flow-message.ts";
import { durationOf, timestampOf } from "./messages.ts";

const PERMILLE = 1000;

/** Merged distributions as the API answers them. */
export function statisticsMessage({ count, min, mean, max, percentiles }: StatisticsRow): Statistics {
  if (count === 0n) return create(StatisticsSchema, { count });
  return create(StatisticsSchema, {
    count,
    min: durationOf(min),
    mean: durationOf(mean),
    max: durationOf(max),
    ...(percentiles !== undefined && {
      p50: durationOf(percentiles.p50),
      p90: durationOf(percentiles.p90),
      p95: durationOf(percentiles.p95),
      p99: durationOf(percentiles.p99),
      p999: durationOf(percentiles.p999),
      percentileErrorRatio: percentiles.errorRatio,
    }),
  });
}

/** Round-trip times of the traffic. */
export function rttMessage(row: RttRow): Rtt {
  return create(RttSchema, {
    agent: row.agent,
    interface: row.interface,
    ...(row.flow !== undefined && { flow: flowMessage(row.flow) }),
    prefix: row.prefix,
    method: row.method,
    side: sideOf(row),
    startTime: timestampOf(row.fromNs),
    endTime: timestampOf(row.toNs),
    rtt: statisticsMessage(row.rtt),
    sentPackets: row.sentPackets,
    sentL3Bytes: row.sentL3Bytes,
    receivedPackets: row.receivedPackets,
    receivedL3Bytes: row.receivedL3Bytes,
    measurablePackets: row.measurablePackets,
  });
}

/** One round-trip time. */
export function rttSampleMessage(row: RttSampleRow): RttSample {
  return create(RttSampleSchema, {
    agent: row.agent,
    flow: flowMessage(row.flow),
    time: timestampOf(row.atNs),
    rtt: durationOf(row.rttNs),
    method: row.method,
    side: sideOf(row),
    confidenceRatio: row.confidencePermille / PERMILLE,
  });
}

/** One-way delays of a session. */
export function delayMessage(row: DelayRow): Delay {
  return create(DelaySchema, {
    ...whereAndWhen(row),
    ...(row.ways.forward && { forward: oneWayMessage(row.ways.forward) }),
    ...(row.ways.backward && { backward: oneWayMessage(row.ways.backward) }),
    ...(row.errorNs !== undefined && { error: durationOf(row.errorNs) }),
    trustworthy: row.synchronised,
  });
}

/** Round trips of a session. */
export function roundTripMessage(row: DelayRow): RoundTrip {
  const { round_trip: trip } = row.ways;
  return create(RoundTripSchema, {
    ...whereAndWhen(row),
    ...(trip && { roundTrip: statisticsMessage(trip.delay) }),
    ...(trip?.jitterNs !== undefined && { jitter: durationOf(trip.jitterNs) }),
    ...(trip?.ipdvNs !== undefined && { ipdv: durationOf(trip.ipdvNs) }),
    ...(row.residence && { residence: statisticsMessage(row.residence) }),
  });
}

/** One answered test packet. */
export function delaySampleMessage(row: DelaySampleRow): DelaySample {
  return create(DelaySampleSchema, {
    agent: row.agent,
    session: sessionMessage(row.session),
    sequence: row.sequence,
    time: timestampOf(row.atNs),
    forward: durationOf(row.forwardNs),
    backward: durationOf(row.backwardNs),
    roundTrip: durationOf(row.roundTripNs),
  });
}

function whereAndWhen(row: DelayRow) {
  return {
    agent: row.agent,
    interface: row.interface,
    session: sessionMessage(row.session),
    startTime: timestampOf(row.fromNs),
    endTime: timestampOf(row.toNs),
    packets: countsMessage(row),
  };
}

function sessionMessage(row: SessionRow): DelaySession {
  return create(DelaySessionSchema, row);
}

function countsMessage(row: DelayRow): PacketCounts {
  return create(PacketCountsSchema, {
    sent: row.sent,
    received: row.received,
    lost: row.lost,
    ...(row.sent > 0n && { lossRatio: Number(row.lost) / Number(row.sent) }),
    ...(row.lostForward !== undefined && { lostForward: row.lostForward }),
    ...(row.lostBackward !== undefined && { lostBackward: row.lostBackward }),
    duplicate: row.duplicate,
    reordered: row.reordered,
    late: row.late,
    ...(row.waitNs > 0n && { wait: durationOf(row.waitNs) }),
  });
}

function oneWayMessage({ delay, jitterNs, ipdvNs }: WayRow): OneWayDelay {
  return create(OneWayDelaySchema, {
    delay: statisticsMessage(delay),
    ...(jitterNs !== undefined && { jitter: durationOf(jitterNs) }),
    ...(ipdvNs !== undefined && { ipdv: durationOf(ipdvNs) }),
  });
}

function sideOf({ local }: { readonly local: boolean }): RttSide {
  return local ? RttSide.LOCAL : RttSide.REMOTE;
}
