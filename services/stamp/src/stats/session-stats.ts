import { type Answer, type Delays, delaysOf } from "./answer.ts";
import { Jitter } from "./jitter.ts";
import { type DirectedRun, LossDirection } from "./loss-direction.ts";
import { type LedgerEntry, PacketLedger } from "./packet-ledger.ts";
import { Reordering } from "./reordering.ts";
import { DELAY_OF, METRICS, type MetricName, Summary } from "./summary.ts";
import { unwrap } from "./unwrap.ts";

/** How a session is measured. */
export interface SessionStatsOptions {
  /** Unix time at which the first interval begins. */
  readonly startNs: bigint;
  /** Length of an interval that is summed up on its own. */
  readonly intervalNs: bigint;
  /** How long an answer is waited for, from T1 to T4; a later one is late, and its packet lost. */
  readonly waitNs: bigint;
  /** As many packets are remembered, at least four times those sent within `waitNs`; default 4096. */
  readonly remembered?: number;
  /** Whether the reflector numbers its answers itself. Default: found out by its numbers. */
  readonly stateful?: boolean;
}

/** What an answer was. `unmatched`: to nothing that was sent, or to a packet long forgotten; it changes nothing. */
export type AnswerKind = "received" | "late" | "duplicate" | "unmatched";

/** What an answer was, with its delays if it was received and told times. */
export interface AnswerVerdict {
  readonly kind: AnswerKind;
  readonly delays: Delays | undefined;
}

const DEFAULT_REMEMBERED = 4096;
const FEWEST_REMEMBERED = 1024;
const MOST_REMEMBERED = 2 ** 20;
/** A packet is settled so much after its wait: the kernel sends it (T1) a little after it was handed over. */
const SETTLING_NS = 50_000_000n;

/**
 * What became of the packets of one session, over all of it and interval by interval. It has no clock: the times are the
 * kernel's time stamps of answers, and how far the answers that have come are known.
 */
export class SessionStats {
  /** All packets so far. */
  readonly total: Summary;
  readonly #options: SessionStatsOptions;
  readonly #ledger: PacketLedger;
  readonly #direction: LossDirection<LedgerEntry>;
  readonly #reordering = new Reordering();
  readonly #jitters: Readonly<Record<MetricName, Jitter>>;
  #unsettled: LedgerEntry[] = [];
  #open: Summary[] = [];
  #closedUntilNs: bigint;
  #shiftNs = 0n;
  #newest: number | undefined;
  #previous: LedgerEntry | undefined;
  #unmatched = 0;

  constructor(options: SessionStatsOptions) {
    const wanted = Math.max(FEWEST_REMEMBERED, Math.min(MOST_REMEMBERED, options.remembered ?? DEFAULT_REMEMBERED));
    const capacity = 2 ** Math.ceil(Math.log2(wanted));
    this.#options = options;
    this.#closedUntilNs = options.startNs;
    this.#ledger = new PacketLedger(capacity);
    this.#direction = new LossDirection(capacity);
    this.#jitters = { forward: new Jitter(), backward: new Jitter(), roundTrip: new Jitter(), residence: new Jitter() };
    this.total = new Summary(options.startNs, options.startNs);
  }

  /** Answers to nothing that was sent, or to a packet long forgotten. */
  get unmatched(): number {
    return this.#unmatched;
  }

  /** Packets that are neither answered nor given up. */
  get waiting(): number {
    return this.total.sent - this.total.received - this.total.lost;
  }

  /** A packet is sent at `atNs` (Unix time), told before its answer is. Numbers ascend, modulo 2^32, and times do. */
  sent(sequence: number, atNs: bigint): void {
    const position = this.#newest === undefined ? sequence : unwrap(sequence, this.#newest);
    this.#newest = position;
    const entry = this.#ledger.add(position, atNs, this.#intervalAt(atNs));
    this.#unsettled.push(entry);
    for (const summary of this.#summaries(entry)) summary.sent += 1;
    if (atNs > this.total.toNs) this.total.toNs = atNs;
  }

  /** An answer has come. Whether in time, its T4 − T1 tells, whenever it is given. */
  answered(answer: Answer): AnswerVerdict {
    const entry = this.#newest === undefined ? undefined : this.#ledger.get(unwrap(answer.sequence, this.#newest));
    if (entry === undefined) {
      this.#unmatched += 1;
      return { kind: "unmatched", delays: undefined };
    }
    if (entry.state === "answered" || entry.state === "late") {
      this.#direction.arrived(answer.sequence, answer.reflectorSequence, true);
      for (const summary of this.#stillOpen(entry)) summary.duplicates += 1;
      return { kind: "duplicate", delays: undefined };
    }
    if (this.#reordering.arrived(entry.position)) for (const summary of this.#stillOpen(entry)) summary.reordered += 1;
    return answer.t4Ns - answer.t1Ns > this.#options.waitNs ? this.#late(entry) : this.#received(entry, answer);
  }

  /**
   * All answers that came before `knownToNs` (Unix time) have been given: packets whose wait ended before are lost.
   * @returns the intervals all of whose packets have their fate now, in order
   */
  expire(knownToNs: bigint): Summary[] {
    const endedNs = knownToNs - this.#options.waitNs - SETTLING_NS;
    const kept = this.#unsettled.findIndex((entry) => entry.sentNs >= endedNs);
    const ended = this.#unsettled.splice(0, kept < 0 ? this.#unsettled.length : kept);
    for (const entry of ended) this.#settle(entry);
    const isClosed = (interval: Summary) => interval.toNs <= endedNs;
    const closed = this.#open.filter(isClosed);
    if (closed.length > 0) this.#open = this.#open.filter((interval) => !isClosed(interval));
    this.#closedUntilNs = closed.at(-1)?.toNs ?? this.#closedUntilNs;
    return closed;
  }

  /** The session ends: what is not answered by now is lost. @returns the last intervals; the very last ends at `atNs` */
  finish(atNs: bigint): Summary[] {
    for (const entry of this.#unsettled.splice(0)) this.#settle(entry);
    if (atNs > this.total.toNs) this.total.toNs = atNs;
    const intervals = this.#open;
    this.#open = [];
    const last = intervals.at(-1);
    if (last !== undefined && atNs > last.fromNs && atNs < last.toNs) last.toNs = atNs;
    return intervals;
  }

  /**
   * The wall clock was set: one-way figures of what is not handed out yet go across that. All packets sent before are known.
   *
   * @param shiftNs what times given from now on lack to Unix time
   */
  clockSet(shiftNs: bigint): void {
    this.#shiftNs = shiftNs;
    for (const summary of [this.total, ...this.#open]) summary.clockStepped = true;
  }

  #received(entry: LedgerEntry, answer: Answer): AnswerVerdict {
    if (entry.state === "lost") this.#takeBack(entry);
    const delays = delaysOf(answer);
    entry.state = "answered";
    entry.reflectorSequence = answer.reflectorSequence;
    entry.delays = delays;
    this.#direction.arrived(answer.sequence, answer.reflectorSequence, false);
    if (delays !== undefined) for (const name of METRICS) this.#jitters[name].add(delays[DELAY_OF[name]]);
    for (const summary of this.#summaries(entry)) {
      summary.received += 1;
      if (delays === undefined) summary.withoutTimes += 1;
      else summary.addDelays(answer, delays, this.#jitters);
    }
    return { kind: "received", delays };
  }

  #late(entry: LedgerEntry): AnswerVerdict {
    const wasLost = entry.state === "lost";
    entry.state = "late";
    for (const summary of this.#stillOpen(entry)) summary.late += 1;
    if (!wasLost) for (const summary of this.#summaries(entry)) summary.lost += 1;
    return { kind: "late", delays: undefined };
  }

  /** An answer came in time but was given after its packet had been settled as lost. */
  #takeBack(entry: LedgerEntry): void {
    const wasTold = !this.#direction.retract(entry);
    for (const summary of this.#summaries(entry)) {
      summary.lost -= 1;
      // its number was missing, so it was taken for lost on the way back
      if (wasTold && summary.lostBackward > 0) summary.lostBackward -= 1;
    }
  }

  /** A packet's wait has ended, and that of all before it. */
  #settle(entry: LedgerEntry): void {
    const stateful = this.#options.stateful ?? this.#direction.numbersItself;
    for (const summary of this.#summaries(entry)) summary.stateful ||= stateful;
    if (entry.state === "answered") {
      const run = this.#direction.answered(entry.reflectorSequence);
      if (run !== undefined) this.#tell(run);
      this.#vary(entry);
    } else {
      if (entry.state === "waiting") for (const summary of this.#summaries(entry)) summary.lost += 1;
      if (entry.state === "waiting") entry.state = "lost";
      this.#direction.lost(entry);
    }
    this.#previous = entry;
  }

  #tell({ packets, forward, backward }: DirectedRun<LedgerEntry>): void {
    this.total.lostForward += forward;
    this.total.lostBackward += backward;
    const intervals = new Set(packets.map((packet) => packet.interval));
    // which of them went which way is not known: only what is the same for all can be told of parts
    if (intervals.size > 1 && forward > 0 && backward > 0) return;
    for (const interval of intervals) {
      const count = packets.filter((packet) => packet.interval === interval).length;
      interval.lostForward += intervals.size === 1 ? forward : forward > 0 ? count : 0;
      interval.lostBackward += intervals.size === 1 ? backward : backward > 0 ? count : 0;
    }
  }

  #vary(entry: LedgerEntry): void {
    const previous = this.#previous;
    if (previous?.position !== entry.position - 1 || !previous.delays || !entry.delays) return;
    for (const name of METRICS) {
      const difference = entry.delays[DELAY_OF[name]] - previous.delays[DELAY_OF[name]];
      for (const summary of this.#summaries(entry)) summary[name].addVariation(difference);
    }
  }

  #summaries(entry: LedgerEntry): readonly [Summary, Summary] {
    return [this.total, entry.interval];
  }

  /** Where what comes after a packet's interval was handed out is counted: in the newest one that was not. */
  #stillOpen(entry: LedgerEntry): readonly [Summary, Summary] {
    const isOpen = entry.interval.fromNs >= this.#closedUntilNs;
    return [this.total, isOpen ? entry.interval : (this.#open.at(-1) ?? this.#intervalAt(this.#closedUntilNs))];
  }

  #intervalAt(atNs: bigint): Summary {
    const { startNs, intervalNs } = this.#options;
    const index = atNs > startNs ? (atNs - startNs) / intervalNs : 0n;
    const fromNs = startNs + index * intervalNs;
    const newest = this.#open.at(-1);
    if (newest !== undefined && newest.fromNs >= fromNs) return newest;
    const interval = new Summary(fromNs, fromNs + intervalNs, this.#shiftNs);
    this.#open.push(interval);
    return interval;
  }
}
