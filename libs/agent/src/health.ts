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

  get state(): HealthState {
    const reasons = [...(this.#measuring ? [] : ["not measuring"]), ...this.#reasons].sort();
    return { healthy: reasons.length === 0, measuring: this.#measuring, reasons };
  }
}
