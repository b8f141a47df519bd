/** Wakes waiting loops. A ring while nobody waits is remembered; several rings count as one. */
export class Bell {
  readonly #waiting = new Set<() => void>();
  #rung = false;

  /** Ends all waits, or the next one when there is none. */
  ring(): void {
    this.#rung = this.#waiting.size === 0;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Resolves at the next ring, or after `timeoutMs` where that is given. */
  async wait(timeoutMs?: number): Promise<void> {
    if (this.#rung) {
      this.#rung = false;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
    this.#waiting.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
  }
}
