import type { RingBatch } from "@waymark/bpf-runtime";
import { type PpingEvent, PpingEventType, ppingEvent } from "../bpf/pping.gen.ts";
import { type FlowEnd, flowEndOf } from "./flow-end.ts";
import { methodName } from "./method.ts";
import type { FlowChange, FlowCounts, FlowReason, News } from "./news.ts";

const REASONS: readonly FlowReason[] = [
  "none",
  "SYN",
  "SYN-ACK",
  "first observed packet",
  "FIN",
  "RST",
  "flow timeout",
];
const TRIGGERS: readonly FlowChange["triggeredBy"][] = ["src", "dest", "garbage collection"];
/** Two directions of a flow. */
const WAYS = 2;
const WORD = 2 ** 32;

/**
 * Turns kernel records into news. Addresses are decoded once a flow; flows are forgotten when the kernel has removed them,
 * or when more than twice as many are remembered as the kernel can hold (records of removals may be lost).
 */
export class NewsReader {
  readonly #ends = new Map<number, FlowEnd>();
  readonly #limit: number;

  /** @param flows size of the kernel's table */
  constructor(flows: number) {
    this.#limit = flows * WAYS * 2;
  }

  /** Directions of flows that are remembered. */
  get size(): number {
    return this.#ends.size;
  }

  /** The news of a batch, oldest first. @param offsetNs what to add to CLOCK_MONOTONIC for Unix time */
  *read(batch: RingBatch<PpingEvent>, offsetNs: bigint): Generator<News, void> {
    const { view, recordBytes, count } = batch;
    for (let index = 0; index < count; index++) yield this.#one(view, index * recordBytes, offsetNs);
  }

  // Not by the generated codec: it would make an object for each address of each sample. A test compares the two.
  #one(view: DataView, at: number, offsetNs: bigint): News {
    const type = view.getUint8(at + 121);
    const flow = this.#flow(view, at);
    const atNs = view.getBigUint64(at + 8, true) + offsetNs;
    const counts = countsAt(view, at);
    if (type === PpingEventType.PPING_EVENT_RTT) {
      return {
        kind: "rtt",
        flow,
        atNs,
        counts,
        rttNs: u64(view, at + 16),
        minRttNs: u64(view, at + 24),
        method: methodName(view.getUint8(at + 122)),
        local: view.getUint8(at + 123) !== 0,
        confidencePermille: view.getUint16(at + 118, true),
      };
    }
    if (type === PpingEventType.PPING_EVENT_REMOVED) {
      for (let way = 0; way < WAYS; way++) this.#ends.delete(flow.flowId * WAYS + way);
      return { kind: "removed", flow, atNs, counts };
    }
    return {
      kind: type === PpingEventType.PPING_EVENT_OPENING ? "opening" : "closing",
      flow,
      atNs,
      counts,
      reason: REASONS[view.getUint8(at + 124)] ?? "none",
      triggeredBy: TRIGGERS[view.getUint8(at + 125)] ?? "src",
    };
  }

  #flow(view: DataView, at: number): FlowEnd {
    const key = u64(view, at) * WAYS + view.getUint8(at + 126);
    const known = this.#ends.get(key);
    if (known !== undefined) return known;
    const end = flowEndOf(ppingEvent.decode(view, at));
    if (this.#ends.size >= this.#limit) for (const oldest of this.#ends.keys()) if (this.#ends.delete(oldest)) break;
    this.#ends.set(key, end);
    return end;
  }
}

function countsAt(view: DataView, at: number): FlowCounts {
  return {
    sentPackets: u64(view, at + 32),
    receivedPackets: u64(view, at + 40),
    sentL3Bytes: u64(view, at + 48),
    receivedL3Bytes: u64(view, at + 56),
    sentPayloadBytes: u64(view, at + 64),
    receivedPayloadBytes: u64(view, at + 72),
  };
}

/** Exact below 2^53: 104 days in nanoseconds, 9 petabytes. */
function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * WORD;
}
