import type { WallClock } from "@waymark/probe";

/** A clock that moved by more against CLOCK_MONOTONIC was stepped. */
const STEP_NS = 1_000_000n;

/** Times of the kernel as numbers since the agent's start, and what the wall clock shows for them. */
export class Timeline {
  /** CLOCK_MONOTONIC at the start. */
  readonly baseNs: bigint;
  readonly #clock: Pick<WallClock, "monotonicNs" | "offsetNs">;
  #offsetNs: bigint;

  constructor(clock: Pick<WallClock, "monotonicNs" | "offsetNs">) {
    this.#clock = clock;
    this.baseNs = clock.monotonicNs();
    this.#offsetNs = clock.offsetNs();
  }

  /** Nanoseconds since the start. */
  nowNs(): number {
    return Number(this.#clock.monotonicNs() - this.baseNs);
  }

  /** Unix time of a time since the start, in nanoseconds: by the wall clock as it is now. */
  readonly wallNs = (ns: number): bigint => this.baseNs + BigInt(Math.round(ns)) + this.#offsetNs;

  /** Looks at the wall clock again: by how much it was stepped since, 0 if it was not. */
  followClock(): bigint {
    const offsetNs = this.#clock.offsetNs();
    const by = offsetNs - this.#offsetNs;
    this.#offsetNs = offsetNs;
    return by > STEP_NS || by < -STEP_NS ? by : 0n;
  }
}
