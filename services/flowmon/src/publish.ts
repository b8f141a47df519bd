import { create } from "@bufbuild/protobuf";
import type { Publisher, ReportPayload } from "@waymark/agent";
import {
  Direction,
  FlowKeySchema,
  SequenceCountsSchema,
  ThroughputBatchSchema,
  type ThroughputRecord,
  ThroughputRecordSchema,
} from "@waymark/proto/report";
import type { FlowDirection } from "./flow-id.ts";
import { gapDeviation, gapMean } from "./gap-figures.ts";
import type { Interval } from "./interval.ts";
import type { FlowReading, OverflowReading } from "./reading.ts";
import type { SequenceFigures } from "./sequence-figures.ts";

/** A report stays below 64 KiB: a record has at most so many octets, besides its interface's name. */
const RECORD_BYTES = 340;
const BATCH_BYTES = 56 * 1024;
/** Of what found no room: the protocol stands for its class. */
const CLASS_PROTOCOLS = { TCP: 6, UDP: 17, ICMP: 1 } as const;

/** An agent without flows says so often that it lives: its counters and its clock's health go with every report. */
const HEARTBEAT_NS = 5_000_000_000n;

/** Publishes intervals. */
export class IntervalPublisher {
  readonly #publisher: Pick<Publisher, "publish">;
  #publishedNs = 0n;

  constructor(publisher: Pick<Publisher, "publish">) {
    this.#publisher = publisher;
  }

  /** All flows of an interval; of one without any now and then an empty report. */
  publish(interval: Interval): void {
    const payloads = throughputPayloads(interval);
    if (payloads.length === 0) {
      if (interval.toNs - this.#publishedNs < HEARTBEAT_NS) return;
      payloads.push({ case: "throughput", value: create(ThroughputBatchSchema) });
    }
    this.#publishedNs = interval.toNs;
    for (const payload of payloads) this.#publisher.publish(payload);
  }
}

/** An interval as report payloads of at most about 56 KiB; none if nothing passed. */
export function throughputPayloads(interval: Interval): ReportPayload[] {
  const records = [
    ...interval.flows.map((flow) => flowRecord(flow, interval)),
    ...interval.overflow.map((sum) => overflowRecord(sum, interval)),
  ];
  const size = Math.max(0, ...records.map(({ flow }) => flow?.interface.length ?? 0)) + RECORD_BYTES;
  const perBatch = Math.floor(BATCH_BYTES / size);
  return Array.from({ length: Math.ceil(records.length / perBatch) }, (_, at) => ({
    case: "throughput",
    value: create(ThroughputBatchSchema, { records: records.slice(at * perBatch, (at + 1) * perBatch) }),
  }));
}

function directionOf(direction: FlowDirection): Direction {
  return direction === "ingress" ? Direction.INGRESS : Direction.EGRESS;
}

function flowRecord({ id, figures }: FlowReading, { fromNs, toNs }: Interval): ThroughputRecord {
  const { gaps, sequence, rtpJitterNs } = figures;
  const [mean, deviation] = [gapMean(gaps), gapDeviation(gaps)];
  return create(ThroughputRecordSchema, {
    flow: create(FlowKeySchema, {
      sourceAddress: id.source,
      destinationAddress: id.destination,
      protocol: id.protocol,
      sourcePort: id.sourcePort,
      destinationPort: id.destinationPort,
      ...(id.icmp && { icmpType: id.icmp.type, icmpCode: id.icmp.code, icmpId: id.icmp.id }),
      vlanId: id.vlan,
      interface: id.interface,
      direction: directionOf(id.direction),
    }),
    fromNs,
    toNs,
    packets: figures.packets,
    l3Bytes: figures.l3Bytes,
    payloadBytes: figures.payloadBytes,
    goodputBytes: figures.goodputBytes,
    gaps: gaps.gaps,
    ...(mean !== undefined && { gapMeanNs: mean }),
    ...(deviation !== undefined && { gapStddevNs: deviation }),
    gapsInSuperPackets: gaps.superGaps,
    ...(rtpJitterNs !== undefined && { rtpJitterNs }),
    burst1msL3Bytes: figures.burst1msL3Bytes,
    burst10msL3Bytes: figures.burst10msL3Bytes,
    ...(sequence && { sequence: sequenceCounts(sequence) }),
  });
}

function sequenceCounts(figures: SequenceFigures) {
  return create(SequenceCountsSchema, {
    current: figures.current,
    received: figures.received,
    reverseErrors: figures.reverse,
    smallErrors: figures.small,
    bigErrors: figures.big,
    duplicates: figures.duplicates,
    reordered: figures.reordered,
    lost: figures.lost,
    lossEpisodes: figures.episodes,
    recovered: figures.recovered,
    lossEpisodesChange: figures.episodesChange,
    restarts: figures.restarts,
  });
}

function overflowRecord(sum: OverflowReading, { fromNs, toNs }: Interval): ThroughputRecord {
  return create(ThroughputRecordSchema, {
    flow: create(FlowKeySchema, {
      protocol: CLASS_PROTOCOLS[sum.protocol],
      interface: sum.interface,
      direction: directionOf(sum.direction),
      overflow: true,
    }),
    fromNs,
    toNs,
    packets: sum.packets,
    l3Bytes: sum.l3Bytes,
    payloadBytes: sum.payloadBytes,
    goodputBytes: sum.payloadBytes,
  });
}
