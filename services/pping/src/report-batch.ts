import { create, toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import type { ReportPayload } from "@waymark/agent";
import {
  type Distribution,
  DistributionSchema,
  type FlowEvent,
  FlowEventKind,
  FlowEventSchema,
  type FlowKey,
  FlowKeySchema,
  HistogramSchema,
  RttBatchSchema,
  RttMethod,
  type RttSummary,
  RttSummarySchema,
} from "@waymark/proto/report";
import type { LogHistogram } from "@waymark/stats";
import type { FlowEnd } from "./flow-end.ts";
import type { Method } from "./method.ts";
import type { FlowChange, RttSample } from "./news.ts";
import { framed, SampleColumns } from "./sample-columns.ts";

/** A report stays below 64 KiB. */
const BATCH_BYTES = 56 * 1024;
/** Protobuf octets, at the most: of a sample, of a flow, of a flow event, of a summary and of a bin in it. */
const SAMPLE_BYTES = 24;
const FLOW_BYTES = 72;
const EVENT_BYTES = 56;
const SUMMARY_BYTES = 160;
const BIN_BYTES = 8;
const MAX_SAMPLES = Math.ceil(BATCH_BYTES / SAMPLE_BYTES);
const FLOWS_FIELD = RttBatchSchema.field.flows.number;
const SAMPLES_FIELD = RttBatchSchema.field.samples.number;

const METHODS: Readonly<Record<Method, RttMethod>> = {
  tcp_timestamp: RttMethod.TCP_TIMESTAMP,
  tcp_sequence: RttMethod.TCP_SEQUENCE,
  tcp_handshake: RttMethod.TCP_HANDSHAKE,
  icmp_echo: RttMethod.ICMP_ECHO,
  dns: RttMethod.DNS,
  quic_spin: RttMethod.QUIC_SPIN,
};

/** What a summary says besides its round-trip times. Wire packets, L3 bytes. */
export interface SummaryCounts {
  readonly sentPackets: bigint;
  readonly sentL3Bytes: bigint;
  readonly receivedPackets: bigint;
  readonly receivedL3Bytes: bigint;
  readonly measurablePackets: bigint;
}

/** A summary of round-trip times. Nanoseconds since the Unix epoch. */
export interface Summary {
  readonly subject: FlowEnd | string;
  readonly fromNs: bigint;
  readonly toNs: bigint;
  /** Undefined: only counts. */
  readonly method: Method | undefined;
  readonly local: boolean;
  readonly rtts: LogHistogram | undefined;
  readonly counts: SummaryCounts;
}

/** Collects samples, events and summaries and hands them on as reports below 64 KiB. */
export class ReportBatch {
  readonly #publish: (payload: ReportPayload) => void;
  readonly #places = new Map<FlowEnd, number>();
  #flows: Uint8Array[] = [];
  readonly #samples = new SampleColumns(MAX_SAMPLES);
  #summaries: RttSummary[] = [];
  #events: FlowEvent[] = [];
  #bytes = 0;

  constructor(publish: (payload: ReportPayload) => void) {
    this.#publish = publish;
  }

  addSample(sample: RttSample): void {
    this.#makeRoom(SAMPLE_BYTES + FLOW_BYTES);
    const { atNs, rttNs, local, confidencePermille } = sample;
    const [flow, method] = [this.#place(sample.flow), METHODS[sample.method]];
    this.#samples.push({ flow, atNs, rttNs, method, local, confidencePermille });
    this.#bytes += SAMPLE_BYTES;
  }

  addChange(change: FlowChange): void {
    this.#makeRoom(EVENT_BYTES + FLOW_BYTES);
    this.#events.push(
      create(FlowEventSchema, {
        flow: this.#place(change.flow),
        atNs: change.atNs,
        kind: change.kind === "opening" ? FlowEventKind.OPENING : FlowEventKind.CLOSING,
        reason: change.reason,
        triggeredBy: change.triggeredBy,
      }),
    );
    this.#bytes += EVENT_BYTES;
  }

  addSummary(summary: Summary): void {
    const { subject, fromNs, toNs, method, local, rtts, counts } = summary;
    const distribution = rtts && distributionOf(rtts);
    const bytes = SUMMARY_BYTES + BIN_BYTES * (distribution?.histogram?.buckets.length ?? 0);
    this.#makeRoom(bytes + FLOW_BYTES);
    this.#summaries.push(
      create(RttSummarySchema, {
        subject:
          typeof subject === "string"
            ? { case: "prefix", value: subject }
            : { case: "flow", value: this.#place(subject) },
        fromNs,
        toNs,
        method: method === undefined ? RttMethod.UNSPECIFIED : METHODS[method],
        local,
        ...(distribution && { rtt: distribution }),
        ...counts,
      }),
    );
    this.#bytes += bytes;
  }

  /** Hands on what there is. */
  flush(): void {
    if (this.#bytes === 0) return;
    const value = create(RttBatchSchema);
    value.summaries = this.#summaries;
    value.events = this.#events;
    // Encoded already: the writer appends them as the fields of these numbers that they are.
    const wireType = WireType.LengthDelimited;
    value.$unknown = this.#flows.map((data) => ({ no: FLOWS_FIELD, wireType, data }));
    if (this.#samples.rows > 0) value.$unknown.push({ no: SAMPLES_FIELD, wireType, data: this.#samples.take() });
    this.#places.clear();
    this.#flows = [];
    this.#summaries = [];
    this.#events = [];
    this.#bytes = 0;
    this.#publish({ case: "rtt", value });
  }

  #makeRoom(bytes: number): void {
    if (this.#bytes + bytes > BATCH_BYTES) this.flush();
  }

  #place(end: FlowEnd): number {
    const known = this.#places.get(end);
    if (known !== undefined) return known;
    const place = this.#flows.length;
    this.#places.set(end, place);
    this.#flows.push(encodedFlow(end));
    this.#bytes += FLOW_BYTES;
    return place;
  }
}

const encodedFlows = new WeakMap<FlowEnd, Uint8Array>();

/** A flow is encoded once, however many reports it is in. */
function encodedFlow(end: FlowEnd): Uint8Array {
  const known = encodedFlows.get(end);
  if (known !== undefined) return known;
  const octets = framed(toBinary(FlowKeySchema, flowKeyOf(end)));
  encodedFlows.set(end, octets);
  return octets;
}

function flowKeyOf(end: FlowEnd): FlowKey {
  const isEcho = end.protocolText.startsWith("ICMP");
  return create(FlowKeySchema, {
    sourceAddress: end.source,
    destinationAddress: end.destination,
    protocol: end.protocol,
    sourcePort: isEcho ? 0 : end.sourcePort,
    destinationPort: isEcho ? 0 : end.destinationPort,
    icmpId: isEcho ? end.sourcePort : 0,
    vlanId: end.vlanId,
  });
}

function distributionOf(rtts: LogHistogram): Distribution {
  return create(DistributionSchema, {
    count: BigInt(rtts.count),
    minNs: BigInt(rtts.min ?? 0),
    maxNs: BigInt(rtts.max ?? 0),
    sumNs: rtts.sum,
    histogram: create(HistogramSchema, {
      ...rtts.toBuckets(),
      buckets: [...rtts.toBuckets().buckets],
      counts: [...rtts.toBuckets().counts],
    }),
  });
}
