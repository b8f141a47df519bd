/** Each difference counts for one part in so many (RFC 3550 section 6.4.1). */
const GAIN = 16;

/** Interarrival jitter: J += (|D| − J) / 16, D the difference of the delays of two packets in the order of their arrival. */
export class Jitter {
  #last: number | undefined;
  #jitter: number | undefined;

  /** Nanoseconds; undefined before the second packet. */
  get valueNs(): number | undefined {
    return this.#jitter;
  }

  /** Adds a packet. */
  add(delayNs: number): void {
    if (this.#last !== undefined) {
      const before = this.#jitter ?? 0;
      this.#jitter = before + (Math.abs(delayNs - this.#last) - before) / GAIN;
    }
    this.#last = delayNs;
  }
}
