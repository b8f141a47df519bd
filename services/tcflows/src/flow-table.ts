import type { Batch } from "@waymark/bpf-runtime";
import { tcflowsCount } from "../bpf/tcflows.gen.ts";
import { type Direction, type FlowId, overflowId } from "./flow-key.ts";
import type { Counts, EndReason, FlowRecord, FlowView } from "./flow-record.ts";
import { FIELD, FlowStore, KEY_WORDS, wordsOf } from "./flow-store.ts";
import type { Siblings } from "./siblings.ts";

/** How flows are kept. Durations and times in nanoseconds; times since the agent's start. */
export interface FlowTableOptions {
  readonly device: string;
  /** Flows at the most; what is beyond goes to the overflow records. */
  readonly limit: number;
  readonly activeTimeoutNs: number;
  /** How often the kernel's table is read: a record is due at the reading that is nearest to its time-out. */
  readonly readEveryNs: number;
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
  readonly direction: Direction;
  /** Undefined: all that is not IP. */
  readonly protocol: number | undefined;
}

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
/** A connection has ended when nothing came for so long after FIN or RST. */
const LINGER_NS = 1e9;
/** Records of one round of an interface; the rest waits for the next, so that nothing else has to wait for them. */
export const MAX_RECORDS = 65_536;
const HIGH_WORD = 2 ** 32;

/** Where the members of tcflows_count are. */
const AT = { packets: 0, l3Bytes: 8, l2Bytes: 16, firstNs: 24, lastNs: 32, tcpFlags: 40, dscp: 44, macs: 48 } as const;
const VALUE_BYTES = tcflowsCount.size;

/** The flows of one interface from their first packet to their last, over many readings of the kernel's tables. */
export class FlowTable {
  readonly device: string;
  readonly #options: FlowTableOptions;
  readonly #store: FlowStore;
  readonly #baseLow: number;
  readonly #baseHigh: number;
  readonly #overflow = new Map<FlowId, Counts>();
  /** Flows that ended because their ports were used again; told in the next round. */
  readonly #replaced: Ended[] = [];
  #countedPackets = 0;
  #overflowPackets = 0;
  #steppedNs = Number.NEGATIVE_INFINITY;
  #cursor = 0;

  constructor(options: FlowTableOptions) {
    this.device = options.device;
    this.#options = options;
    this.#store = new FlowStore(options.limit / 2);
    this.#baseLow = Number(options.baseNs & 0xffff_ffffn);
    this.#baseHigh = Number(options.baseNs >> 32n);
  }

  /** Flows that are kept. */
  get size(): number {
    return this.#store.size;
  }

  /** Packets that are in flows or found no room. */
  get countedPackets(): number {
    return this.#countedPackets;
  }

  /** Packets that found no room, here or in the kernel. */
  get overflowPackets(): number {
    return this.#overflowPackets;
  }

  /** The wall clock was stepped before `nowNs`: flows that began earlier are marked. */
  clockStepped(nowNs: number): void {
    this.#steppedNs = nowNs;
  }

  /** Adds what was counted in a table that is at rest. */
  absorb({ keys, values, count }: Batch): void {
    const words = new Uint32Array(keys.buffer, keys.byteOffset, count * KEY_WORDS);
    for (let i = 0; i < count; i++) this.#add(words, i * KEY_WORDS, values, i * VALUE_BYTES);
  }

  /** Takes over what found no room: sums that only ever grow. */
  absorbOverflow(sums: Iterable<OverflowSum>, fromNs: number, toNs: number): void {
    for (const { direction, protocol, ...sum } of sums) {
      const id = overflowId(direction, protocol);
      const before = this.#overflow.get(id) ?? { packets: 0, l3Bytes: 0, l2Bytes: 0 };
      // A program between its packets and its bytes: these come with the next packet.
      if (sum.packets === before.packets) continue;
      this.#overflow.set(id, sum);
      const packets = sum.packets - before.packets;
      this.#countOverflow(id, packets, sum.l3Bytes - before.l3Bytes, sum.l2Bytes - before.l2Bytes, fromNs, toNs);
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

  /** Ends flows, as many as one round may tell: the agent ends. Whether some are left. */
  finish(readNs: number, sink: FlowSink): boolean {
    const replaced = this.#replaced.splice(0, MAX_RECORDS);
    for (const ended of replaced) tell(ended, sink);
    let left = MAX_RECORDS - replaced.length;
    for (let slot = 0; slot < this.#store.end && left > 0; slot++) {
      if (!this.#store.has(slot)) continue;
      const { slab, base } = this.#store.at(slot);
      this.#end(slot, closing(slab[base + FIELD.tcpFlags] ?? 0) ?? "shutdown", readNs, sink);
      left--;
    }
    return this.#replaced.length > 0 || this.#store.size > 0;
  }

  /**
   * All flows, with their counts since the start or since they were last shown; shows them. Which of several interfaces
   * owns a flow that is younger than `readNs` is not known yet: it is shown the next time.
   */
  *views(since: "start" | "shown", readNs: number): Generator<FlowView, void> {
    for (let slot = 0; slot < this.#store.end; slot++) {
      if (!this.#store.has(slot)) continue;
      const { slab, base } = this.#store.at(slot);
      if (this.#options.siblings && (slab[base + FIELD.startNs] ?? 0) >= readNs) continue;
      const view = this.#view(slot, since, undefined, readNs);
      slab[base + FIELD.shownPackets] = slab[base + FIELD.packets] ?? 0;
      slab[base + FIELD.shownL3Bytes] = slab[base + FIELD.l3Bytes] ?? 0;
      slab[base + FIELD.shownL2Bytes] = slab[base + FIELD.l2Bytes] ?? 0;
      yield view;
    }
  }

  #advanceFlow(slot: number, readNs: number, crowded: boolean, sink: FlowSink): boolean {
    if (!this.#store.has(slot)) return false;
    const { slab, base } = this.#store.at(slot);
    if ((slab[base + FIELD.startNs] ?? 0) >= readNs) return false;
    const idleNs = readNs - (slab[base + FIELD.lastNs] ?? 0);
    const reason = this.#endReason(idleNs, slab[base + FIELD.tcpFlags] ?? 0, crowded);
    if (reason !== undefined) {
      this.#end(slot, reason, readNs, sink);
      return true;
    }
    const { activeTimeoutNs, readEveryNs } = this.#options;
    const due = readNs - (slab[base + FIELD.recordNs] ?? 0) >= activeTimeoutNs - readEveryNs / 2;
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
    this.#options.siblings?.leave(ended.record.id, this.device, ended.record.lastNs, reason === "idle");
    return ended;
  }

  #add(words: Uint32Array, keyAt: number, values: DataView, at: number): void {
    const packets = u64(values, at + AT.packets);
    const l3Bytes = u64(values, at + AT.l3Bytes);
    const l2Bytes = u64(values, at + AT.l2Bytes);
    const firstNs = this.#time(values, at + AT.firstNs);
    const lastNs = this.#time(values, at + AT.lastNs);
    const tcpFlags = values.getUint32(at + AT.tcpFlags, true);
    const slot = this.#slotFor(words, keyAt, firstNs, tcpFlags);
    if (slot < 0) {
      this.#countOverflow(overflowOf(words, keyAt), packets, l3Bytes, l2Bytes, firstNs, lastNs);
      return;
    }
    this.#count(slot, packets, l3Bytes, l2Bytes, firstNs, lastNs, tcpFlags);
    const { slab, base } = this.#store.at(slot);
    slab[base + FIELD.dscp] = values.getUint8(at + AT.dscp);
    slab[base + FIELD.destinationMac] = mac(values, at + AT.macs);
    slab[base + FIELD.sourceMac] = mac(values, at + AT.macs + 6);
  }

  #time(values: DataView, at: number): number {
    const high = values.getUint32(at + 4, true) - this.#baseHigh;
    return high * HIGH_WORD + (values.getUint32(at, true) - this.#baseLow);
  }

  #countOverflow(id: FlowId, packets: number, l3Bytes: number, l2Bytes: number, firstNs: number, lastNs: number): void {
    this.#overflowPackets += packets;
    const words = wordsOf(id);
    const found = this.#store.find(words, 0);
    const slot = found < 0 ? this.#open(words, 0, firstNs) : found;
    this.#count(slot, packets, l3Bytes, l2Bytes, firstNs, lastNs, 0);
  }

  #count(
    slot: number,
    packets: number,
    l3Bytes: number,
    l2Bytes: number,
    firstNs: number,
    lastNs: number,
    tcpFlags: number,
  ): void {
    this.#countedPackets += packets;
    const { slab, base } = this.#store.at(slot);
    const add = (field: number, value: number) => {
      slab[base + field] = (slab[base + field] ?? 0) + value;
    };
    if (slab[base + FIELD.pendingPackets] === 0) slab[base + FIELD.pendingFirstNs] = firstNs;
    add(FIELD.pendingPackets, packets);
    add(FIELD.pendingL3Bytes, l3Bytes);
    add(FIELD.pendingL2Bytes, l2Bytes);
    add(FIELD.packets, packets);
    add(FIELD.l3Bytes, l3Bytes);
    add(FIELD.l2Bytes, l2Bytes);
    slab[base + FIELD.pendingTcpFlags] = (slab[base + FIELD.pendingTcpFlags] ?? 0) | tcpFlags;
    slab[base + FIELD.tcpFlags] = (slab[base + FIELD.tcpFlags] ?? 0) | tcpFlags;
    // Two CPUs read the clock and write what they read in any order.
    const latestNs = lastNs > firstNs ? lastNs : firstNs;
    if (latestNs > (slab[base + FIELD.lastNs] ?? 0)) slab[base + FIELD.lastNs] = latestNs;
  }

  /** The flow's slot, taken if need be; -1 if there is no room for another flow. */
  #slotFor(words: Uint32Array, at: number, firstNs: number, tcpFlags: number): number {
    const found = this.#store.find(words, at);
    if (found >= 0 && !(tcpFlags & SYN && this.#closeBefore(found, firstNs))) return found;
    if (this.#store.size >= this.#options.limit) return -1;
    return this.#open(words, at, firstNs);
  }

  #open(words: Uint32Array, at: number, firstNs: number): number {
    const slot = this.#store.add(words, at);
    const { slab, base } = this.#store.at(slot);
    slab[base + FIELD.startNs] = firstNs;
    slab[base + FIELD.recordNs] = firstNs;
    this.#options.siblings?.join(this.#store.id(slot), this.device, firstNs);
    return slot;
  }

  /** A SYN after FIN or RST opens another connection between the same ports: true if so, and the one before is closed. */
  #closeBefore(slot: number, nowNs: number): boolean {
    const { slab, base } = this.#store.at(slot);
    const reason = closing(slab[base + FIELD.tcpFlags] ?? 0);
    if (reason === undefined) return false;
    this.#replaced.push(this.#close(slot, reason, nowNs));
    return true;
  }

  #view(slot: number, since: "start" | "shown", end: EndReason | undefined, readNs: number): FlowView {
    const id = this.#store.id(slot);
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
      duplicate: this.#options.siblings?.isDuplicate(id, this.device, readNs, get(FIELD.lastNs)) ?? false,
      clockStepped: get(FIELD.startNs) < this.#steppedNs,
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

/** Where protocol and direction, and the IP version are in the words of a key. */
const PROTOCOL_WORD = 9;
const VERSION_WORD = 11;

/** Where a flow that finds no room is counted. */
function overflowOf(words: Uint32Array, at: number): FlowId {
  const word = words[at + PROTOCOL_WORD] ?? 0;
  const version = ((words[at + VERSION_WORD] ?? 0) >>> 16) & 0xff;
  return overflowId(((word >>> 8) & 0xff) === 1 ? "ingress" : "egress", version === 0 ? undefined : word & 0xff);
}

function u64(values: DataView, at: number): number {
  return values.getUint32(at, true) + values.getUint32(at + 4, true) * HIGH_WORD;
}
