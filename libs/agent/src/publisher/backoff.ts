const FIRST_MS = 100;
const LIMIT_MS = 5_000;

/** How long to wait before the next attempt: doubles up to 5 s, with a random half of it taken off. */
export class Backoff {
  #ceilingMs = FIRST_MS;

  /** After a success. */
  reset(): void {
    this.#ceilingMs = FIRST_MS;
  }

  /** Milliseconds, from half the ceiling to the ceiling; the ceiling doubles. */
  nextMs(): number {
    const ceiling = this.#ceilingMs;
    this.#ceilingMs = Math.min(ceiling * 2, LIMIT_MS);
    return ceiling * (0.5 + Math.random() / 2);
  }
}
