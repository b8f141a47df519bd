import type { Batch } from "@waymark/bpf-runtime";
import { tcflowsCount } from "../bpf/tcflows.gen.ts";
import { type FlowId, isOverflow, KEY_BYTES, overflowId } from "./flow-key.ts";
import type { Counts, EndReason, FlowRecord, FlowView } from "./flow-record.ts";
import { FIELD, FlowStore } from "./flow-store.ts";
import type { Siblings } from "./siblings.ts";

/** How flows are kept. Durations and times in nanoseconds; times since the agent's start. */
export interface FlowTableOptions {
  readonly device: string;
  /** Flows at the most; what is beyond goes to the overflow records. */
  readonly limit: number;
  readonly activeTimeoutNs: number;
  readonly idleTimeoutNs: number;
  /** CLOCK_MONOTONIC at the agent's start. */
  readonly baseNs: bigint;
  /** Finds flows that other interfaces see as well. */
  readonly siblings?: Siblings | undefined;
}

/** What becomes of flows. */
export interface FlowSink {
  /** Something is to be told of a flow that goes on, or has ended. */
  record(record: FlowRecord): void;
  /** A flow has ended; what was counted since it was last shown. */
  ended(sinceShown: FlowView, sinceStart: FlowView): void;
}

/** What found no room, since the start. */
export interface OverflowSum extends Counts {
  readonly direction: "ingress" | "egress";
  /** Undefined: all that is not IP. */
  readonly protocol: number | undefined;
}

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
/** A connection has ended when nothing came for so long after FIN or RST. */
const LINGER_NS = 1e9;
/** Records of one round; the rest waits for the next, so that nothing else has to wait for them. */
const MAX_RECORDS = 65_536;
const HIGH_WORD = 2 ** 32;

/** Where the members of tcflows_count are. */
const AT = { packets: 0, l3Bytes: 8, l2Bytes: 16, firstNs: 24, lastNs: 32, tcpFlags: 40, dscp: 44, macs: 48 } as const;
const VALUE_BYTES = tcflowsCount.size;

/** The flows of one interface from their first packet to their last, over many readings of the kernel's tables. */
export class FlowTable {
  readonly device: string;
  readonly #options: FlowTableOptions;
  readonly #store = new FlowStore();
  readonly #baseLow: number;
  readonly #baseHigh: number;
  readonly #overflow = new Map<FlowId, Counts>();
  /** Flows that ended because their ports were used again; told in the next round. */
  readonly #replaced: Ended[] = [];
  #overflowPackets = 0;
  #cursor = 0;

  constructor(options: FlowTableOptions) {
    this.device = options.device;
    this.#options = options;
    this.#baseLow = Number(options.baseNs & 0xffff_ffffn);
    this.#baseHigh = Number(options.baseNs >> 32n);
  }

  /** Flows that are kept. */
  get size(): number {
    return this.#store.size;
  }

  /** Packets that found no room, here or in the kernel. */
  get overflowPackets(): number {
    return this.#overflowPackets;
  }

  /** Adds what was counted in a table that is at rest. */
  absorb({ keys, values, count }: Batch): void {
    const octets = Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength);
    for (let i = 0; i < count; i++) {
      this.#add(octets.toString("latin1", i * KEY_BYTES, (i + 1) * KEY_BYTES), values, i * VALUE_BYTES);
    }
  }

  /** Takes over what found no room: sums that only ever grow. */
  absorbOverflow(sums: Iterable<OverflowSum>, fromNs: number, toNs: number): void {
    for (const { direction, protocol, ...sum } of sums) {
      const id = overflowId(direction, protocol);
      const before = this.#overflow.get(id) ?? { packets: 0, l3Bytes: 0, l2Bytes: 0 };
      if (sum.packets === before.packets && sum.l2Bytes === before.l2Bytes) continue;
      this.#overflow.set(id, sum);
      this.#count(
        id,
        sum.packets - before.packets,
        sum.l3Bytes - before.l3Bytes,
        sum.l2Bytes - before.l2Bytes,
        fromNs,
        toNs,
      );
    }
  }

  /**
   * Tells what is due: flows that ended, and those that the last record of is older than the active time-out.
   *
   * @param readNs when the reading began: a flow that is younger may not have been read on all interfaces yet
   */
  advance(readNs: number, sink: FlowSink): void {
    for (const ended of this.#replaced.splice(0)) tell(ended, sink);
    const { limit } = this.#options;
    const crowded = this.#store.size > limit / 2;
    let left = MAX_RECORDS;
    const end = this.#store.end;
    for (let step = 0; step < end && left > 0; step++) {
      const slot = (this.#cursor + step) % end;
      if (this.#advanceFlow(slot, readNs, crowded, sink)) left--;
      if (left === 0) this.#cursor = (slot + 1) % end;
    }
  }

  /** Ends all flows: the agent ends. */
  finish(readNs: number, sink: FlowSink): void {
    for (const ended of this.#replaced.splice(0)) tell(ended, sink);
    for (let slot = 0; slot < this.#store.end; slot++) {
      if (this.#store.id(slot) === undefined) continue;
      const { slab, base } = this.#store.at(slot);
      this.#end(slot, closing(slab[base + FIELD.tcpFlags] ?? 0) ?? "shutdown", readNs, sink);
    }
  }

  /** All flows, with their counts since the start or since they were last shown; shows them. */
  *views(since: "start" | "shown", readNs: number): Generator<FlowView, void> {
    for (let slot = 0; slot < this.#store.end; slot++) {
      if (this.#store.id(slot) === undefined) continue;
      const view = this.#view(slot, since, undefined, readNs);
      const { slab, base } = this.#store.at(slot);
      slab[base + FIELD.shownPackets] = slab[base + FIELD.packets] ?? 0;
      slab[base + FIELD.shownL3Bytes] = slab[base + FIELD.l3Bytes] ?? 0;
      slab[base + FIELD.shownL2Bytes] = slab[base + FIELD.l2Bytes] ?? 0;
      yield view;
    }
  }

  #advanceFlow(slot: number, readNs: number, crowded: boolean, sink: FlowSink): boolean {
    if (this.#store.id(slot) === undefined) return false;
    const { slab, base } = this.#store.at(slot);
    if ((slab[base + FIELD.startNs] ?? 0) >= readNs) return false;
    const idleNs = readNs - (slab[base + FIELD.lastNs] ?? 0);
    const reason = this.#endReason(idleNs, slab[base + FIELD.tcpFlags] ?? 0, crowded);
    if (reason !== undefined) {
      this.#end(slot, reason, readNs, sink);
      return true;
    }
    const due = readNs - (slab[base + FIELD.recordNs] ?? 0) >= this.#options.activeTimeoutNs;
    if (!due || (slab[base + FIELD.pendingPackets] ?? 0) === 0) return false;
    sink.record(this.#record(slot, undefined, readNs));
    return true;
  }

  #endReason(idleNs: number, tcpFlags: number, crowded: boolean): EndReason | undefined {
    if (idleNs >= LINGER_NS) {
      const closed = closing(tcpFlags);
      if (closed !== undefined) return closed;
    }
    if (idleNs >= this.#options.idleTimeoutNs) return "idle";
    return crowded && idleNs >= LINGER_NS ? "resources" : undefined;
  }

  #end(slot: number, reason: EndReason, readNs: number, sink: FlowSink): void {
    tell(this.#close(slot, reason, readNs), sink);
  }

  #close(slot: number, reason: EndReason, readNs: number): Ended {
    const ended = {
      sinceShown: this.#view(slot, "shown", reason, readNs),
      sinceStart: this.#view(slot, "start", reason, readNs),
      record: this.#record(slot, reason, readNs),
    };
    this.#store.remove(slot);
    this.#options.siblings?.leave(ended.record.id, this.device);
    return ended;
  }

  #add(id: FlowId, values: DataView, at: number): void {
    const u64 = (offset: number) =>
      values.getUint32(at + offset, true) + values.getUint32(at + offset + 4, true) * HIGH_WORD;
    const time = (offset: number) =>
      (values.getUint32(at + offset + 4, true) - this.#baseHigh) * HIGH_WORD +
      (values.getUint32(at + offset, true) - this.#baseLow);
    const flags = values.getUint32(at + AT.tcpFlags, true);
    const counts = [u64(AT.packets), u64(AT.l3Bytes), u64(AT.l2Bytes)] as const;
    const slot = this.#count(id, ...counts, time(AT.firstNs), time(AT.lastNs), flags);
    if (slot === undefined) return;
    const { slab, base } = this.#store.at(slot);
    slab[base + FIELD.dscp] = values.getUint8(at + AT.dscp);
    slab[base + FIELD.destinationMac] = mac(values, at + AT.macs);
    slab[base + FIELD.sourceMac] = mac(values, at + AT.macs + 6);
  }

  /** The slot that it was counted in; undefined if there was no room for the flow. */
  #count(
    id: FlowId,
    packets: number,
    l3Bytes: number,
    l2Bytes: number,
    firstNs: number,
    lastNs: number,
    tcpFlags = 0,
  ): number | undefined {
    if (isOverflow(id)) this.#overflowPackets += packets;
    const slot = this.#slotFor(id, firstNs, tcpFlags);
    if (slot === undefined) {
      this.#refuse(id, packets, l3Bytes, l2Bytes, firstNs, lastNs);
      return undefined;
    }
    const { slab, base } = this.#store.at(slot);
    if (slab[base + FIELD.pendingPackets] === 0) slab[base + FIELD.pendingFirstNs] = firstNs;
    slab[base + FIELD.pendingPackets] = (slab[base + FIELD.pendingPackets] ?? 0) + packets;
    slab[base + FIELD.pendingL3Bytes] = (slab[base + FIELD.pendingL3Bytes] ?? 0) + l3Bytes;
    slab[base + FIELD.pendingL2Bytes] = (slab[base + FIELD.pendingL2Bytes] ?? 0) + l2Bytes;
    slab[base + FIELD.pendingTcpFlags] = (slab[base + FIELD.pendingTcpFlags] ?? 0) | tcpFlags;
    slab[base + FIELD.packets] = (slab[base + FIELD.packets] ?? 0) + packets;
    slab[base + FIELD.l3Bytes] = (slab[base + FIELD.l3Bytes] ?? 0) + l3Bytes;
    slab[base + FIELD.l2Bytes] = (slab[base + FIELD.l2Bytes] ?? 0) + l2Bytes;
    slab[base + FIELD.tcpFlags] = (slab[base + FIELD.tcpFlags] ?? 0) | tcpFlags;
    // Two CPUs read the clock and write what they read in any order.
    slab[base + FIELD.lastNs] = Math.max(slab[base + FIELD.lastNs] ?? 0, firstNs, lastNs);
    return slot;
  }

  #slotFor(id: FlowId, firstNs: number, tcpFlags: number): number | undefined {
    const found = this.#store.find(id);
    if (found !== undefined) {
      if (tcpFlags & SYN) this.#replaceIfClosed(found, firstNs);
      return this.#store.find(id) ?? this.#open(id, firstNs);
    }
    if (this.#store.size >= this.#options.limit && !isOverflow(id)) return undefined;
    return this.#open(id, firstNs);
  }

  #open(id: FlowId, firstNs: number): number {
    const slot = this.#store.add(id);
    const { slab, base } = this.#store.at(slot);
    slab[base + FIELD.startNs] = firstNs;
    slab[base + FIELD.recordNs] = firstNs;
    this.#options.siblings?.join(id, this.device, firstNs);
    return slot;
  }

  /** A SYN after FIN or RST opens another connection between the same ports. */
  #replaceIfClosed(slot: number, nowNs: number): void {
    const { slab, base } = this.#store.at(slot);
    const reason = closing(slab[base + FIELD.tcpFlags] ?? 0);
    if (reason === undefined) return;
    this.#replaced.push(this.#close(slot, reason, nowNs));
  }

  #refuse(id: FlowId, packets: number, l3Bytes: number, l2Bytes: number, firstNs: number, lastNs: number): void {
    const { direction, protocol } = directionAndProtocol(id);
    this.#count(overflowId(direction, protocol), packets, l3Bytes, l2Bytes, firstNs, lastNs);
  }

  #view(slot: number, since: "start" | "shown", end: EndReason | undefined, readNs: number): FlowView {
    const id = this.#store.id(slot) ?? "";
    const { slab, base } = this.#store.at(slot);
    const get = (field: number) => slab[base + field] ?? 0;
    const shown = since === "shown";
    return {
      id,
      device: this.device,
      packets: get(FIELD.packets) - (shown ? get(FIELD.shownPackets) : 0),
      l3Bytes: get(FIELD.l3Bytes) - (shown ? get(FIELD.shownL3Bytes) : 0),
      l2Bytes: get(FIELD.l2Bytes) - (shown ? get(FIELD.shownL2Bytes) : 0),
      startNs: get(FIELD.startNs),
      lastNs: get(FIELD.lastNs),
      tcpFlags: get(FIELD.tcpFlags),
      dscp: get(FIELD.dscp),
      sourceMac: get(FIELD.sourceMac),
      destinationMac: get(FIELD.destinationMac),
      end,
      duplicate: this.#options.siblings?.isDuplicate(id, this.device, readNs) ?? false,
    };
  }

  /** What is pending, which is nothing afterwards. */
  #record(slot: number, end: EndReason | undefined, readNs: number): FlowRecord {
    const view = this.#view(slot, "start", end, readNs);
    const { slab, base } = this.#store.at(slot);
    const get = (field: number) => slab[base + field] ?? 0;
    const packets = get(FIELD.pendingPackets);
    const record = {
      ...view,
      packets,
      l3Bytes: get(FIELD.pendingL3Bytes),
      l2Bytes: get(FIELD.pendingL2Bytes),
      tcpFlags: get(FIELD.pendingTcpFlags),
      firstNs: packets > 0 ? get(FIELD.pendingFirstNs) : view.lastNs,
    };
    slab.fill(0, base + FIELD.pendingPackets, base + FIELD.pendingTcpFlags + 1);
    slab[base + FIELD.recordNs] = readNs;
    return record;
  }
}

/** The last that is told of a flow. */
interface Ended {
  readonly sinceShown: FlowView;
  readonly sinceStart: FlowView;
  readonly record: FlowRecord;
}

function tell({ sinceShown, sinceStart, record }: Ended, sink: FlowSink): void {
  sink.ended(sinceShown, sinceStart);
  sink.record(record);
}

function closing(tcpFlags: number): "fin" | "rst" | undefined {
  if (tcpFlags & RST) return "rst";
  return tcpFlags & FIN ? "fin" : undefined;
}

/** Six octets as a number of 48 bits. */
function mac(view: DataView, at: number): number {
  return view.getUint16(at) * HIGH_WORD + view.getUint32(at + 2);
}

const PROTOCOL_AT = 36;
const DIRECTION_AT = 37;
const VERSION_AT = 46;

function directionAndProtocol(id: FlowId): { direction: "ingress" | "egress"; protocol: number | undefined } {
  return {
    direction: id.charCodeAt(DIRECTION_AT) === 1 ? "ingress" : "egress",
    protocol: id.charCodeAt(VERSION_AT) === 0 ? undefined : id.charCodeAt(PROTOCOL_AT),
  };
}
