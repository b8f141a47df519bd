/** What has been started and has to be stopped again, the latest first. */
export class Closers {
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];

  /** Adds a step; it runs before all that were added earlier. */
  add(close: () => Promise<unknown> | unknown): void {
    this.#closers.push(close);
  }

  /** Runs every step once, even if one fails; the first failure is thrown at the end. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
