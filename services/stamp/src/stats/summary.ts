import type { Answer, Delays } from "./answer.ts";
import { DelayMetric } from "./delay-metric.ts";
import type { Jitter } from "./jitter.ts";
import { ErrorBar, type OneWayTrust } from "./one-way-trust.ts";

/** The delays that a summary keeps. */
export const METRICS = ["forward", "backward", "roundTrip", "residence"] as const;
export type MetricName = (typeof METRICS)[number];

/** Where an answer's delays hold each. */
export const DELAY_OF: Readonly<Record<MetricName, keyof Delays>> = {
  forward: "forwardNs",
  backward: "backwardNs",
  roundTrip: "roundTripNs",
  residence: "residenceNs",
};

/** Packets of a session that were lost on the way there and on the way back. Their sum may be less than all lost: some cannot be told. */
export interface LostByDirection {
  readonly forward: number;
  readonly backward: number;
}

/** What became of the packets of a session that were sent in [`fromNs`, `toNs`), Unix time. */
export class Summary {
  readonly fromNs: bigint;
  toNs: bigint;
  sent = 0;
  /** Answered in time, each packet once. */
  received = 0;
  /** Not answered in time. What is neither received nor lost is still waited for. */
  lost = 0;
  /** Answered after the wait; in `lost` as well, and in no delay. */
  late = 0;
  /** Answers beyond a packet's first. */
  duplicates = 0;
  /** Answers that came after one to a packet that was sent later (RFC 4737). */
  reordered = 0;
  /** Answers in time without readable times of the reflector; in `received`, in no delay. */
  withoutTimes = 0;
  readonly forward = new DelayMetric();
  readonly backward = new DelayMetric();
  readonly roundTrip = new DelayMetric();
  readonly residence = new DelayMetric();
  readonly errorBar = new ErrorBar();
  lostForward = 0;
  lostBackward = 0;
  /** The reflector numbers its answers itself. Undefined: nothing shows it yet. */
  stateful = false;
  /** The wall clock of this side was set while answers to these packets could come. */
  clockStepped = false;
  /** What its times lack to Unix time: the clock was set between the session's beginning and this summary's. */
  readonly shiftNs: bigint;
  #bestNs = Number.POSITIVE_INFINITY;
  #offsetNs: number | undefined;

  constructor(fromNs: bigint, toNs: bigint, shiftNs = 0n) {
    this.fromNs = fromNs;
    this.toNs = toNs;
    this.shiftNs = shiftNs;
  }

  /** Undefined unless the reflector is stateful. */
  get lostByDirection(): LostByDirection | undefined {
    return this.stateful ? { forward: this.lostForward, backward: this.lostBackward } : undefined;
  }

  /** Share of lost packets of those whose fate is known; undefined before there are any. */
  get lossRatio(): number | undefined {
    const known = this.received + this.lost;
    return known > 0 ? this.lost / known : undefined;
  }

  /** The reflector's clock minus the sender's by the answer with the least round trip, if both ways took as long. */
  get clockOffsetNs(): number | undefined {
    return this.#offsetNs;
  }

  /** Both clocks said that they are synchronised, with every answer, and ours was not set meanwhile. */
  get synchronised(): boolean {
    return this.errorBar.synchronised && !this.clockStepped;
  }

  /** What the one-way delays of this summary are worth. */
  get trust(): OneWayTrust {
    if (this.clockStepped && this.forward.histogram.count > 0) return "clock-set";
    const leasts = [this.forward.histogram.min, this.backward.histogram.min];
    return this.errorBar.trust(
      leasts.reduce((a, b) => (a === undefined || b === undefined ? undefined : Math.min(a, b))),
    );
  }

  /** Adds the times of an answer that came in time. */
  addDelays(answer: Answer, delays: Delays, jitters: Readonly<Record<MetricName, Jitter>>): void {
    this.errorBar.add(answer);
    for (const name of METRICS) this[name].add(delays[DELAY_OF[name]], jitters[name]);
    if (delays.roundTripNs < this.#bestNs) {
      this.#bestNs = delays.roundTripNs;
      this.#offsetNs = (delays.forwardNs - delays.backwardNs) / 2;
    }
  }

  /** Adds a later interval of the same session. */
  merge(later: Summary): void {
    if (later.toNs > this.toNs) this.toNs = later.toNs;
    this.sent += later.sent;
    this.received += later.received;
    this.lost += later.lost;
    this.late += later.late;
    this.duplicates += later.duplicates;
    this.reordered += later.reordered;
    this.withoutTimes += later.withoutTimes;
    this.lostForward += later.lostForward;
    this.lostBackward += later.lostBackward;
    this.stateful ||= later.stateful;
    this.clockStepped ||= later.clockStepped;
    for (const name of METRICS) this[name].merge(later[name]);
    this.errorBar.merge(later.errorBar);
    if (later.#bestNs < this.#bestNs) {
      this.#bestNs = later.#bestNs;
      this.#offsetNs = later.#offsetNs;
    }
  }
}
