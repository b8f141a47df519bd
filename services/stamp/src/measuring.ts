import type { Logger, Publisher } from "@waymark/agent";
import { type BpfRingBuffer, monotonicNow } from "@waymark/bpf-runtime";
import type { WallClock } from "@waymark/probe";
import type { StampAnswerTlvs, StampEvent } from "../bpf/stamp_sender.gen.ts";
import type { ReplyTlvs } from "./codec/reply-tlv.ts";
import type { SenderOptions } from "./options.ts";
import { pause } from "./pause.ts";
import { delayPayloads, type ReportedSample, type ReportedSummary } from "./publish.ts";
import type { SenderOutput } from "./sender-output.ts";
import type { Sessions } from "./sessions.ts";
import type { Summary } from "./stats/summary.ts";
import type { TestSession } from "./test-session.ts";

/** What measuring needs. */
export interface MeasuringDependencies {
  readonly options: SenderOptions;
  readonly sessions: Sessions;
  readonly clock: WallClock;
  readonly output: SenderOutput;
  readonly logger: Logger;
  readonly publisher: Publisher;
  readonly events: BpfRingBuffer<StampEvent>;
  /** TLVs of answers, and how they are read; only where some were asked for. */
  readonly tlvs:
    | { readonly ring: BpfRingBuffer<StampAnswerTlvs>; readonly read: (record: StampAnswerTlvs) => ReplyTlvs }
    | undefined;
  /** What to add to CLOCK_MONOTONIC for the times of the statistics: they do not jump when the wall clock is set. */
  readonly timelineNs: bigint;
  /** Looks after clock, interface, keys and lease; throws what ends the measurement. */
  readonly keepUp: () => void;
}

/** `kind` of an event (stamp.h). */
const EVENT_SENT = 1;
const KEEP_UP_MS = 1000;
/** How often packets are given up, and a terminal is drawn. */
const LOOK_MS = 200;
/** The same while nothing is left but to wait. */
const LAST_LOOK_MS = 20;
/** How long events may gather before they are read. */
const GATHER_MS = 2;
const NS_PER_MS = 1_000_000n;
/** A wall clock that moved by more against CLOCK_MONOTONIC was set. */
const STEP_NS = 1_000_000n;
/** As many samples go into a report. */
const SAMPLES_AT_ONCE = 1400;

/** What a sender does between start and end: sends when it is time, takes in what the programs tell, gives up, reports. */
export class Measuring {
  readonly #deps: MeasuringDependencies;
  readonly #stop = new AbortController();
  #offsetNs: bigint;
  #samples: ReportedSample[] = [];
  #clockSteps = 0n;
  #failure: unknown;

  constructor(deps: MeasuringDependencies) {
    this.#deps = deps;
    this.#offsetNs = deps.timelineNs;
  }

  /** Cumulative: what the packet programs do not count. */
  counters(): Record<string, bigint> {
    const { all } = this.#deps.sessions;
    const sum = (of: (session: TestSession) => number) =>
      BigInt(all.reduce((total, session) => total + of(session), 0));
    return {
      handed_out: sum((session) => session.handedOut),
      skipped: sum((session) => session.skipped),
      socket_failures: sum((session) => session.socketFailures),
      unmatched_answers: sum((session) => session.stats.unmatched),
      send_error_max_us: this.#sendErrorMaxUs(),
      clock_steps: this.#clockSteps,
    };
  }

  /** How far from its time a packet left, at most. */
  #sendErrorMaxUs(): bigint {
    const errors = this.#deps.sessions.all.map(({ sendError }) => sendError?.maxNs ?? 0);
    return BigInt(Math.round(Math.max(...errors) / 1000));
  }

  /** Measures until all packets have their fate; after `signal` is aborted, those that are under way. */
  async run(signal: AbortSignal): Promise<void> {
    const { events, tlvs, clock, keepUp } = this.#deps;
    const stop = this.#stop.signal;
    const keeping = setInterval(() => this.#attempt(keepUp), KEEP_UP_MS);
    const looking = setInterval(() => this.#attempt(() => this.#look()), LOOK_MS);
    const steps = this.#watchSteps(clock.changes(stop));
    const reading = Promise.all([this.#read(events), this.#readTlvs()]);
    try {
      await this.#sendAll(AbortSignal.any([signal, stop]));
      await this.#awaitFates();
    } finally {
      clearInterval(keeping);
      clearInterval(looking);
      this.#stop.abort();
      events.close();
      tlvs?.ring.close();
      await Promise.all([steps, reading]);
      this.#finish();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#failure ??= error;
      this.#stop.abort();
    }
  }

  async #sendAll(ended: AbortSignal): Promise<void> {
    const { sessions } = this.#deps;
    while (!ended.aborted) {
      const now = monotonicNow();
      for (const session of sessions.all) session.sendDue(now);
      const due = sessions.dueNs;
      if (due === undefined) return;
      const left = due - monotonicNow();
      await pause(Math.max(1, Number(left / NS_PER_MS)), ended);
    }
    for (const session of sessions.all) session.sendNoMore();
  }

  /** Until every packet is answered or given up; what never left does not hold us up. */
  async #awaitFates(): Promise<void> {
    const { sessions, options } = this.#deps;
    const until = monotonicNow() + options.wait + BigInt(LOOK_MS) * NS_PER_MS;
    while (!this.#stop.signal.aborted && !sessions.areDone && monotonicNow() < until) {
      await pause(LAST_LOOK_MS, this.#stop.signal);
      this.#look();
    }
    this.#look();
  }

  async #read(events: BpfRingBuffer<StampEvent>): Promise<void> {
    for await (const batch of events.batches()) {
      for (const event of batch) this.#take(event);
      await pause(GATHER_MS, this.#stop.signal);
    }
  }

  async #readTlvs(): Promise<void> {
    const { tlvs } = this.#deps;
    if (!tlvs) return;
    for await (const batch of tlvs.ring.batches()) for (const record of batch) this.#takeTlvs(record);
  }

  #takeTlvs(record: StampAnswerTlvs): void {
    const { tlvs, sessions, output } = this.#deps;
    const session = sessions.all[record.session];
    if (!tlvs || !session) return;
    const read = tlvs.read(record);
    session.tlvsArrived(read);
    output.tlvs(session.view, record.sequence, read);
  }

  #take(event: StampEvent): void {
    const { sessions, timelineNs, output, options } = this.#deps;
    const session = sessions.all[event.session];
    if (!session) return;
    if (event.kind === EVENT_SENT) {
      session.departed(event.sequence, event.elapsed_ns, event.elapsed_ns + timelineNs);
      return;
    }
    const { answer, verdict } = session.arrived(event);
    output.answer(session.view, event.length, answer, verdict);
    if (!options.samples || !verdict.delays) return;
    const reported = sessions.reported[event.session];
    if (!reported) return;
    const { forwardNs, backwardNs, roundTripNs } = verdict.delays;
    const { sequence, t1Ns: atNs } = answer;
    this.#samples.push({ session: reported, sequence, atNs, forwardNs, backwardNs, roundTripNs });
    if (this.#samples.length >= SAMPLES_AT_ONCE) this.#publish([]);
  }

  /** Gives up what nobody can answer in time any more; shows and reports what is complete. */
  #look(): void {
    const { sessions, timelineNs, output } = this.#deps;
    const now = monotonicNow();
    // Everything from before `now` is in the ring, and then in the statistics.
    this.#drain();
    for (const [number, session] of sessions.all.entries()) {
      this.#report(number, session.stats.expire(now + timelineNs));
    }
    output.refresh(
      sessions.all.map(({ view }) => view),
      now,
    );
  }

  #drain(): void {
    const { events, tlvs } = this.#deps;
    drain(events, (event) => this.#take(event));
    if (tlvs) drain(tlvs.ring, (record) => this.#takeTlvs(record));
  }

  #report(number: number, intervals: readonly Summary[]): void {
    const { sessions, output, options } = this.#deps;
    const session = sessions.reported[number];
    const view = sessions.all[number]?.view;
    if (!session || !view || intervals.length === 0) return;
    for (const interval of intervals) output.interval(view, interval);
    const summaries = intervals.map((summary) => ({ session, summary, waitNs: options.wait }));
    this.#publish(summaries);
  }

  /** Hands summaries, and the samples so far, to whoever delivers them. */
  #publish(summaries: readonly ReportedSummary[]): void {
    const samples = this.#samples;
    this.#samples = [];
    for (const payload of delayPayloads(summaries, samples)) this.#deps.publisher.publish(payload);
  }

  #finish(): void {
    const { sessions, timelineNs, output } = this.#deps;
    const now = monotonicNow() + timelineNs;
    for (const [number, session] of sessions.all.entries()) this.#report(number, session.stats.finish(now));
    output.end(
      sessions.all.map(({ view }) => view),
      sessions.all.map(({ sendError }) => sendError),
    );
  }

  /** T1 and T4 are of one clock's stretch, and so are T2 and T3; one-way figures across a step are not, and say so. */
  async #watchSteps(changes: AsyncIterable<unknown>): Promise<void> {
    const { clock, logger, keepUp, sessions, timelineNs } = this.#deps;
    for await (const _ of changes) {
      const by = clock.offsetNs() - this.#offsetNs;
      if (by <= STEP_NS && by >= -STEP_NS) continue;
      this.#offsetNs += by;
      this.#clockSteps++;
      this.#attempt(keepUp);
      // Those that were sent until now belong to intervals of before.
      this.#attempt(() => this.#drain());
      for (const { stats } of sessions.all) stats.clockSet(this.#offsetNs - timelineNs);
      logger.warn("wall clock stepped: one-way delays before and after differ by as much", { by_ms: Number(by) / 1e6 });
    }
  }
}

/** Takes everything that is in a ring now. */
function drain<T>(ring: BpfRingBuffer<T>, take: (record: T) => void): void {
  if (ring.closed) return;
  for (let batch = ring.read(); batch; batch = ring.read()) for (const record of batch) take(record);
}
