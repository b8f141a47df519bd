import { create } from "@bufbuild/protobuf";
import type { Publisher, ReportPayload } from "@waymark/agent";
import {
  Direction,
  FlowBatchSchema,
  FlowEndReason,
  FlowKeySchema,
  type FlowRecord as FlowRecordMessage,
  FlowRecordSchema,
} from "@waymark/proto/report";
import { flowKey } from "./flow-key.ts";
import type { EndReason, FlowRecord } from "./flow-record.ts";
import { macOctets } from "./mac-address.ts";

/** A report stays below 64 KiB: so many octets of records go into one. */
const BATCH_BYTES = 56 * 1024;
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

/** Collects records and publishes them in batches of at most about 56 KiB. */
export class RecordPublisher {
  readonly #publisher: Pick<Publisher, "publish">;
  readonly #wallNs: (ns: number) => bigint;
  readonly #hasLink: (device: string) => boolean;
  #records: FlowRecordMessage[] = [];
  #octets = 0;

  /**
   * @param wallNs Unix time, in nanoseconds, of a time since the agent's start
   * @param hasLink whether packets of an interface begin with a link header
   */
  constructor(
    publisher: Pick<Publisher, "publish">,
    wallNs: (ns: number) => bigint,
    hasLink: (device: string) => boolean,
  ) {
    this.#publisher = publisher;
    this.#wallNs = wallNs;
    this.#hasLink = hasLink;
  }

  /** Takes a record; publishes when a batch is full. */
  record(record: FlowRecord): void {
    const size = RECORD_BYTES + record.device.length;
    if (this.#octets + size > BATCH_BYTES) this.flush();
    this.#octets += size;
    this.#records.push(recordMessage(record, this.#wallNs, this.#hasLink(record.device)));
  }

  /** Publishes what there is. */
  flush(): void {
    if (this.#records.length === 0) return;
    const payload: ReportPayload = { case: "flows", value: create(FlowBatchSchema, { records: this.#records }) };
    this.#records = [];
    this.#octets = 0;
    this.#publisher.publish(payload);
  }
}

const NO_ADDRESS = new Uint8Array(0);

/** A record as it is published. */
export function recordMessage(record: FlowRecord, wallNs: (ns: number) => bigint, hasLink: boolean): FlowRecordMessage {
  const { source, destination, direction, ...key } = flowKey(record.id);
  return create(FlowRecordSchema, {
    flow: create(FlowKeySchema, {
      ...key,
      sourceAddress: source ?? NO_ADDRESS,
      destinationAddress: destination ?? NO_ADDRESS,
      interface: record.device,
      direction: direction === "ingress" ? Direction.INGRESS : Direction.EGRESS,
    }),
    packets: BigInt(record.packets),
    l3Bytes: BigInt(record.l3Bytes),
    l2Bytes: hasLink ? BigInt(record.l2Bytes) : 0n,
    firstNs: wallNs(record.firstNs),
    lastNs: wallNs(record.lastNs),
    flowStartNs: wallNs(record.startNs),
    tcpFlags: record.tcpFlags,
    sourceMac: hasLink ? macOctets(record.sourceMac) : NO_ADDRESS,
    destinationMac: hasLink ? macOctets(record.destinationMac) : NO_ADDRESS,
    dscp: record.dscp,
    endReason: endReasonNumber(record.end),
    duplicate: record.duplicate,
  });
}
