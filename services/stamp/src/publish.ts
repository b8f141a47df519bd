import { create } from "@bufbuild/protobuf";
import type { ReportPayload } from "@waymark/agent";
import type { Address } from "@waymark/packet";
import {
  DelayBatchSchema,
  type DelaySamples,
  DelaySamplesSchema,
  type DelaySession,
  DelaySessionSchema,
  type DelaySummary,
  DelaySummarySchema,
  type Distribution,
  DistributionSchema,
  HistogramSchema,
} from "@waymark/proto/report";
import type { LogHistogram } from "@waymark/stats";
import type { Summary } from "./stats/summary.ts";

/** Which session a report is about. One object stands for one session. */
export interface ReportedSession {
  readonly senderAddress: Address;
  readonly reflectorAddress: Address;
  readonly senderPort: number;
  readonly reflectorPort: number;
  /** 0: none. */
  readonly ssid: number;
  readonly dscp: number;
  readonly authenticated: boolean;
}

/** An interval of a session. */
export interface ReportedSummary {
  readonly session: ReportedSession;
  readonly summary: Summary;
  /** How long an answer was waited for. */
  readonly waitNs: bigint;
}

/** One answered packet. */
export interface ReportedSample {
  readonly session: ReportedSession;
  readonly sequence: number;
  /** T1, nanoseconds since the Unix epoch. */
  readonly atNs: bigint;
  readonly forwardNs: number;
  readonly backwardNs: number;
  readonly roundTripNs: number;
}

/** A report stays below 64 KiB: so many octets of summaries go into one. */
const PART_BYTES = 56 * 1024;
/** Octets at the most of a summary besides its histograms, with its session. */
const SUMMARY_OVERHEAD = 512;
/** Octets at the most of a histogram's bucket: two varints. */
const BUCKET_BYTES = 8;
/** Samples in one report: at most 40 octets each. */
const SAMPLES_A_PART = 1400;

/** Summaries, then samples, as report payloads of at most about 56 KiB. None for nothing. */
export function delayPayloads(
  summaries: readonly ReportedSummary[],
  samples: readonly ReportedSample[] = [],
): ReportPayload[] {
  const payloads: ReportPayload[] = [];
  for (const part of splitSummaries(summaries)) {
    const sessions = new SessionTable();
    const messages = part.map((each) => summaryMessage(each, sessions.placeOf(each.session, each.summary.stateful)));
    payloads.push(payload(sessions, messages, undefined));
  }
  for (let from = 0; from < samples.length; from += SAMPLES_A_PART) {
    const sessions = new SessionTable();
    const columns = samplesMessage(samples.slice(from, from + SAMPLES_A_PART), sessions);
    payloads.push(payload(sessions, [], columns));
  }
  return payloads;
}

function payload(sessions: SessionTable, summaries: DelaySummary[], samples: DelaySamples | undefined): ReportPayload {
  const columns = samples === undefined ? {} : { samples };
  return { case: "delay", value: create(DelayBatchSchema, { sessions: sessions.messages, summaries, ...columns }) };
}

function splitSummaries(summaries: readonly ReportedSummary[]): ReportedSummary[][] {
  const parts: ReportedSummary[][] = [];
  let octets = PART_BYTES;
  for (const each of summaries) {
    const { forward, backward, roundTrip, residence } = each.summary;
    const buckets = [forward, backward, roundTrip, residence].map(
      ({ histogram }) => histogram.toBuckets().buckets.length,
    );
    const size = SUMMARY_OVERHEAD + BUCKET_BYTES * buckets.reduce((sum, count) => sum + count, 0);
    if (octets + size > PART_BYTES) {
      parts.push([]);
      octets = 0;
    }
    octets += size;
    parts.at(-1)?.push(each);
  }
  return parts;
}

/** The sessions of one batch; summaries and samples name them by their place. */
class SessionTable {
  readonly messages: DelaySession[] = [];
  readonly #places = new Map<ReportedSession, number>();

  placeOf(session: ReportedSession, stateful: boolean): number {
    const known = this.#places.get(session);
    if (known !== undefined) return known;
    const place = this.messages.length;
    this.#places.set(session, place);
    this.messages.push(create(DelaySessionSchema, { ...session, stateful }));
    return place;
  }
}

function summaryMessage({ summary, waitNs }: ReportedSummary, session: number): DelaySummary {
  const direction = summary.lostByDirection;
  const { forward, backward, roundTrip, residence } = summary;
  const { shiftNs, synchronised } = summary;
  const { errorNs } = summary.errorBar;
  return create(DelaySummarySchema, {
    session,
    fromNs: summary.fromNs + shiftNs,
    toNs: summary.toNs + shiftNs,
    sentPackets: BigInt(summary.sent),
    receivedPackets: BigInt(summary.received),
    lostPackets: BigInt(summary.lost),
    ...whole("lostForwardPackets", direction?.forward),
    ...whole("lostBackwardPackets", direction?.backward),
    duplicatePackets: BigInt(summary.duplicates),
    reorderedPackets: BigInt(summary.reordered),
    latePackets: BigInt(summary.late),
    forward: distribution(forward.histogram),
    backward: distribution(backward.histogram),
    roundTrip: distribution(roundTrip.histogram),
    residence: distribution(residence.histogram),
    ...whole("forwardJitterNs", forward.jitterNs),
    ...whole("backwardJitterNs", backward.jitterNs),
    ...whole("roundTripJitterNs", roundTrip.jitterNs),
    ...whole("forwardIpdvNs", forward.ipdvNs),
    ...whole("backwardIpdvNs", backward.ipdvNs),
    ...whole("roundTripIpdvNs", roundTrip.ipdvNs),
    ...(errorNs === undefined ? {} : { errorNs }),
    synchronised,
    waitNs,
  });
}

/** A field that is left out where the figure is not known. */
function whole<K extends string>(name: K, value: number | undefined): Partial<Record<K, bigint>> {
  return value === undefined ? {} : ({ [name]: BigInt(Math.round(value)) } as Record<K, bigint>);
}

function distribution(histogram: LogHistogram): Distribution {
  const { precisionBits, buckets, counts } = histogram.toBuckets();
  if (histogram.count === 0) return create(DistributionSchema, {});
  return create(DistributionSchema, {
    count: BigInt(histogram.count),
    minNs: BigInt(histogram.min ?? 0),
    maxNs: BigInt(histogram.max ?? 0),
    sumNs: histogram.sum,
    histogram: create(HistogramSchema, { precisionBits, buckets: [...buckets], counts: [...counts] }),
  });
}

function samplesMessage(samples: readonly ReportedSample[], sessions: SessionTable): DelaySamples {
  return create(DelaySamplesSchema, {
    session: samples.map(({ session }) => sessions.placeOf(session, false)),
    sequence: samples.map(({ sequence }) => sequence),
    atNs: samples.map(({ atNs }) => atNs),
    forwardNs: samples.map(({ forwardNs }) => BigInt(forwardNs)),
    backwardNs: samples.map(({ backwardNs }) => BigInt(backwardNs)),
    roundTripNs: samples.map(({ roundTripNs }) => BigInt(roundTripNs)),
  });
}
