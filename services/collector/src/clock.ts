/** Reads the wall clock: nanoseconds since the Unix epoch. */
export type NowNs = () => bigint;

const NS_PER_MS = 1_000_000n;

/** The system's wall clock, to the millisecond. */
export const systemNowNs: NowNs = () => BigInt(Date.now()) * NS_PER_MS;

/**
 * When rows are stored, in an order that readers can rely on: a stamp is never given twice and never goes back,
 * and `readNs()` never reaches a stamp whose rows may not be visible yet.
 */
export class StoreClock {
  readonly #nowNs: NowNs;
  #lastNs = 0n;
  #openNs: bigint | undefined;

  constructor(nowNs: NowNs) {
    this.#nowNs = nowNs;
  }

  /** The stamp of the insert that begins now. One insert runs at a time. */
  begin(): bigint {
    const now = this.#nowNs();
    this.#lastNs = now > this.#lastNs ? now : this.#lastNs + 1n;
    this.#openNs = this.#lastNs;
    return this.#lastNs;
  }

  /** The insert has succeeded or failed. */
  end(): void {
    this.#openNs = undefined;
  }

  /** The time as of which the store can be read: every row stamped until then is visible. */
  readNs(): bigint {
    if (this.#openNs !== undefined) return this.#openNs - 1n;
    const now = this.#nowNs();
    return now > this.#lastNs ? now : this.#lastNs;
  }
}
