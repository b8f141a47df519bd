import { monotonicNow } from "@waymark/bpf-runtime";
import type { StampEvent } from "../bpf/stamp_sender.gen.ts";
import { AccessReporting } from "./access-report.ts";
import { errorEstimateBits, errorOf, estimateError, parseErrorEstimate } from "./codec/error-estimate.ts";
import type { Mode } from "./codec/mode.ts";
import type { ReplyTlvs } from "./codec/reply-tlv.ts";
import { encodeRequestTlvs, type RequestTlv } from "./codec/request-tlv.ts";
import { encodeSenderPacket } from "./codec/sender-packet.ts";
import { decodeTime, type TimeFormat } from "./codec/time-stamp.ts";
import type { SessionView } from "./report/session-view.ts";
import type { Schedule } from "./schedule.ts";
import type { Answer, ClockClaim } from "./stats/answer.ts";
import { type AnswerVerdict, SessionStats, type SessionStatsOptions } from "./stats/session-stats.ts";
import type { Target } from "./target.ts";
import type { TestSocket } from "./test-socket.ts";

/** What the clock of this side says of itself. */
export interface OwnClock extends ClockClaim {
  readonly format: TimeFormat;
  readonly taiOffsetS: number;
}

/** What all sessions of a sender have in common. */
export interface SessionPlan {
  readonly mode: Mode;
  readonly ssid: number;
  /** Test packets at the most; 0: no end. */
  readonly count: number;
  readonly port: number;
  /** TLVs of every packet, but the numbers in them. */
  readonly tlvs: readonly RequestTlv[];
  /** Stands for T1 until the packet program has written it. */
  readonly cookie: bigint;
  /** Signs TLVs. */
  readonly key: () => Uint8Array | undefined;
  readonly clock: () => OwnClock;
  readonly stats: SessionStatsOptions;
}

/** Sequence numbers begin again after so many packets. */
const NUMBERS = 2 ** 32;
/** What is due for longer than this is left out rather than sent in one go. */
const MAX_BEHIND_NS = 1_000_000_000n;

/** How far from its due time packets left: the packet program's T1 counts, so no result depends on it. Nanoseconds. */
export interface SendError {
  readonly meanNs: number;
  readonly maxNs: number;
}

/** Test packets to one reflector, and what came back. */
export class TestSession {
  readonly target: Target;
  readonly stats: SessionStats;
  readonly #plan: SessionPlan;
  readonly #socket: TestSocket;
  readonly #schedule: Schedule;
  readonly #due: BigInt64Array;
  readonly #accessReport = new AccessReporting();
  #sent = 0;
  #skipped = 0;
  #ended = false;
  #dueNs: bigint;
  #errorSum = 0;
  #errorMax = 0;
  #errors = 0;

  constructor(target: Target, plan: SessionPlan, socket: TestSocket, schedule: Schedule) {
    this.target = target;
    this.#plan = plan;
    this.#socket = socket;
    this.#schedule = schedule;
    this.#due = new BigInt64Array(2 ** Math.ceil(Math.log2(plan.stats.remembered ?? 1024)));
    this.stats = new SessionStats(plan.stats);
    this.#dueNs = schedule.next();
  }

  /** Monotonic time of the next packet; undefined after the last. */
  get dueNs(): bigint | undefined {
    return this.#hasMore ? this.#dueNs : undefined;
  }

  /** All packets are out and have their fate. */
  get isDone(): boolean {
    return !this.#hasMore && this.stats.total.sent >= this.#sent && this.stats.waiting === 0;
  }

  /** Packets that were handed to the kernel. */
  get handedOut(): number {
    return this.#sent;
  }

  /** Packets that a socket could not send. */
  get socketFailures(): number {
    return this.#socket.failures;
  }

  /** Packets that were left out, since this process was kept from running. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Undefined before the first packet. */
  get sendError(): SendError | undefined {
    return this.#errors > 0 ? { meanNs: this.#errorSum / this.#errors, maxNs: this.#errorMax } : undefined;
  }

  get localAddress(): string {
    return this.#socket.localAddress;
  }

  get view(): SessionView {
    const { ssid, mode, port } = this.#plan;
    const { host, address } = this.target;
    return { host, address, port, ssid, authenticated: mode === "authenticated", summary: this.stats.total };
  }

  get #hasMore(): boolean {
    return !this.#ended && (this.#plan.count === 0 || this.#sent < this.#plan.count);
  }

  /** What was sent so far is all. */
  sendNoMore(): void {
    this.#ended = true;
  }

  /** Sends what is due by `nowNs`, monotonic. */
  sendDue(nowNs: bigint): void {
    while (this.#hasMore && this.#dueNs <= nowNs) {
      if (this.#dueNs < nowNs - MAX_BEHIND_NS) this.#skipped++;
      else this.#send();
      this.#dueNs = this.#schedule.next();
    }
  }

  #send(): void {
    const { mode, ssid, cookie, tlvs, key, clock } = this.#plan;
    const sequence = this.#sent % NUMBERS;
    const { synchronised, errorNs, format } = clock();
    const errorEstimate = errorEstimateBits(estimateError(errorNs ?? 0n, synchronised, format));
    const base = encodeSenderPacket(mode, { sequence, timestamp: cookie, errorEstimate, ssid });
    const numbered = tlvs
      .filter((tlv) => tlv.kind !== "access-report" || this.#accessReport.carry(monotonicNow()))
      .map((tlv) => (tlv.kind === "direct-measurement" ? { ...tlv, sentPackets: (this.#sent + 1) % NUMBERS } : tlv));
    const more = numbered.length > 0 ? encodeRequestTlvs(numbered, sequence, key()) : undefined;
    this.#due[sequence % this.#due.length] = this.#dueNs;
    this.#sent++;
    this.#socket.send(more ? Buffer.concat([base, more]) : base);
  }

  /** A packet has left: monotonic time, and the same on the time line of the statistics. */
  departed(sequence: number, monotonicNs: bigint, atNs: bigint): void {
    this.stats.sent(sequence, atNs);
    const error = Math.abs(Number(monotonicNs - (this.#due[sequence % this.#due.length] ?? monotonicNs)));
    this.#errorSum += error;
    this.#errorMax = Math.max(this.#errorMax, error);
    this.#errors++;
  }

  /** The TLVs of an answer have come. */
  tlvsArrived({ tlvs }: ReplyTlvs): void {
    if (tlvs.some(({ kind }) => kind === "access-report")) this.#accessReport.answered();
  }

  /** An answer has come. */
  arrived(event: StampEvent): { readonly answer: Answer; readonly verdict: AnswerVerdict } {
    const { taiOffsetS, ...sender } = this.#plan.clock();
    const reflector = parseErrorEstimate(event.error_estimate);
    const t4Ns = event.sent_ns + event.elapsed_ns;
    const time = (bits: bigint) => decodeTime(bits, reflector.format, taiOffsetS, t4Ns);
    const answer: Answer = {
      sequence: event.sequence,
      reflectorSequence: event.answer_sequence,
      t1Ns: event.sent_ns,
      t2Ns: time(event.received),
      t3Ns: time(event.answered),
      t4Ns,
      sender: { synchronised: sender.synchronised, errorNs: sender.errorNs },
      reflector: { synchronised: reflector.synchronised, errorNs: errorOf(reflector) },
      senderTtl: event.sender_ttl,
    };
    return { answer, verdict: this.stats.answered(answer) };
  }
}
