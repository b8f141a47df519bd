interface Waiter {
  readonly bytes: number;
  readonly resolve: () => void;
}

/** Bytes that may be held at once. Who comes when there is no room waits; first come, first served. */
export class ByteBudget {
  readonly #limit: number;
  readonly #waiting: Waiter[] = [];
  #used = 0;

  /** @param limit in bytes; what alone is more goes when nothing else is held */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes held. */
  get used(): number {
    return this.#used;
  }

  /** Resolves when the bytes may be held; give them back with `release`. */
  async acquire(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#used += bytes;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ bytes, resolve });
    await promise;
  }

  /** Gives back as many bytes as were acquired, and lets in as many of those that wait as there is room for. */
  release(bytes: number): void {
    this.#used -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      // Taken here and not by the waiter, who runs later.
      this.#used += next.bytes;
      next.resolve();
    }
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#limit;
  }
}
