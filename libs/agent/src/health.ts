/** What `/healthz` answers. */
export interface HealthState {
  readonly healthy: boolean;
  readonly measuring: boolean;
  /** What is wrong, sorted. */
  readonly reasons: readonly string[];
}

/** Whether an agent does what it is for: healthy while it measures and nothing is wrong. */
export class Health {
  readonly #reasons = new Set<string>();
  readonly #checks: (() => string | undefined)[] = [];
  #measuring = false;

  /** Said by the service when its programs are attached, and when they no longer are. */
  setMeasuring(measuring: boolean): void {
    this.#measuring = measuring;
  }

  /** Adds or removes one thing that is wrong, by name ("interface eth0 is down"). */
  setProblem(reason: string, present: boolean): void {
    if (present) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
  }

  /** Adds a question that is asked with every answer: what is wrong, or undefined. */
  addCheck(check: () => string | undefined): void {
    this.#checks.push(check);
  }

  get state(): HealthState {
    const found = this.#checks.map((check) => check()).filter((reason) => reason !== undefined);
    const reasons = [...(this.#measuring ? [] : ["not measuring"]), ...this.#reasons, ...found].sort();
    return { healthy: reasons.length === 0, measuring: this.#measuring, reasons };
  }
}
