import { create } from "@bufbuild/protobuf";
import type { Publisher, ReportPayload } from "@waymark/agent";
import {
  Direction,
  FlowBatchSchema,
  FlowEndReason,
  type FlowKey as FlowKeyMessage,
  FlowKeySchema,
  type FlowRecord as FlowRecordMessage,
  FlowRecordSchema,
} from "@waymark/proto/report";
import { flowKey } from "./flow-key.ts";
import type { EndReason, FlowRecord } from "./flow-record.ts";
import { macOctets } from "./mac-address.ts";
import type { Timeline } from "./timeline.ts";

/** A report stays below 64 KiB: so many octets of records go into one. */
const BATCH_BYTES = 56 * 1024;
/** An agent without flows says so often that it lives: its counters and its clock's health go with every report. */
const HEARTBEAT_NS = 5e9;
/** Protobuf octets of a record besides its interface's name, at the most. */
const RECORD_BYTES = 176;

const END_REASONS: Readonly<Record<EndReason, FlowEndReason>> = {
  fin: FlowEndReason.END_OF_FLOW,
  rst: FlowEndReason.END_OF_FLOW,
  idle: FlowEndReason.IDLE_TIMEOUT,
  shutdown: FlowEndReason.FORCED_END,
  resources: FlowEndReason.LACK_OF_RESOURCES,
};

/** The number of why a record was made, as in IPFIX (flowEndReason). */
export function endReasonNumber(end: EndReason | undefined): FlowEndReason {
  return end === undefined ? FlowEndReason.ACTIVE_TIMEOUT : END_REASONS[end];
}

/** What a publisher of records needs. */
export interface RecordPublisherOptions {
  readonly publisher: Pick<Publisher, "publish" | "flush">;
  readonly timeline: Pick<Timeline, "nowNs" | "wallNs">;
  /** Whether packets of an interface begin with a link header. */
  readonly hasLink: (device: string) => boolean;
}

/** Collects records and publishes them in batches of at most about 56 KiB. */
export class RecordPublisher {
  readonly #options: RecordPublisherOptions;
  #records: FlowRecordMessage[] = [];
  #octets = 0;
  #publishedNs = Number.NEGATIVE_INFINITY;

  constructor(options: RecordPublisherOptions) {
    this.#options = options;
  }

  /** Takes a record; publishes when a batch is full. */
  record(record: FlowRecord): void {
    const { timeline, hasLink } = this.#options;
    const size = RECORD_BYTES + record.device.length;
    if (this.#octets + size > BATCH_BYTES) this.#publish();
    this.#octets += size;
    this.#records.push(recordMessage(record, timeline.wallNs, hasLink(record.device)));
  }

  /** Publishes what there is; an empty batch when there was nothing for a while. */
  flush(): void {
    const isDue = this.#options.timeline.nowNs() - this.#publishedNs >= HEARTBEAT_NS;
    if (this.#records.length > 0 || isDue) this.#publish();
  }

  /** Waits until the targets have all that was published, for so long at the most. */
  async drain(deadlineMs: number): Promise<void> {
    await this.#options.publisher.flush({ deadlineMs });
  }

  #publish(): void {
    const payload: ReportPayload = { case: "flows", value: create(FlowBatchSchema, { records: this.#records }) };
    this.#records = [];
    this.#octets = 0;
    this.#publishedNs = this.#options.timeline.nowNs();
    this.#options.publisher.publish(payload);
  }
}

const NO_ADDRESS = new Uint8Array(0);

/** A record as it is published. Members are set one by one: `create` with all of them takes five times as long. */
export function recordMessage(record: FlowRecord, wallNs: (ns: number) => bigint, hasLink: boolean): FlowRecordMessage {
  const message = create(FlowRecordSchema);
  message.flow = keyMessage(record);
  message.packets = BigInt(record.packets);
  message.l3Bytes = BigInt(record.l3Bytes);
  message.firstNs = wallNs(record.firstNs);
  message.lastNs = wallNs(record.lastNs);
  message.flowStartNs = wallNs(record.startNs);
  message.tcpFlags = record.tcpFlags;
  message.dscp = record.dscp;
  message.endReason = endReasonNumber(record.end);
  message.duplicate = record.duplicate;
  message.clockStepped = record.clockStepped;
  if (!hasLink) return message;
  message.l2Bytes = BigInt(record.l2Bytes);
  message.sourceMac = macOctets(record.sourceMac);
  message.destinationMac = macOctets(record.destinationMac);
  return message;
}

function keyMessage({ id, device }: FlowRecord): FlowKeyMessage {
  const key = flowKey(id);
  const message = create(FlowKeySchema);
  message.sourceAddress = key.source ?? NO_ADDRESS;
  message.destinationAddress = key.destination ?? NO_ADDRESS;
  message.protocol = key.protocol;
  message.sourcePort = key.sourcePort;
  message.destinationPort = key.destinationPort;
  message.icmpType = key.icmpType;
  message.icmpCode = key.icmpCode;
  message.icmpId = key.icmpId;
  message.vlanId = key.vlanId;
  message.etherType = key.etherType;
  message.interface = device;
  message.direction = key.direction === "ingress" ? Direction.INGRESS : Direction.EGRESS;
  message.overflow = key.overflow;
  return message;
}
