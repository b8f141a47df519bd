import type { Answer } from "./answer.ts";

/**
 * What one-way delays are worth. `contradicted`: one is below zero by more than the error that both clocks admit.
 * `clock-set`: the clock of this side was set meanwhile, so that they do not belong together.
 */
export type OneWayTrust = "trusted" | "unsynchronised" | "error-unknown" | "contradicted" | "clock-set" | "no-answers";

/** The error bar of one-way delays: what the clocks of both ends said of themselves while answers came. */
export class ErrorBar {
  #answers = 0;
  #unsynchronised = 0;
  #silent = 0;
  #largest = 0n;

  /** Both clocks said that they are synchronised, with every answer. */
  get synchronised(): boolean {
    return this.#answers > 0 && this.#unsynchronised === 0;
  }

  /** The greatest sum of both Error Estimates. Undefined: some answer lacked one. */
  get errorNs(): bigint | undefined {
    return this.#answers > 0 && this.#silent === 0 ? this.#largest : undefined;
  }

  /** Adds what an answer says. */
  add({ sender, reflector }: Pick<Answer, "sender" | "reflector">): void {
    this.#answers += 1;
    if (!(sender.synchronised && reflector.synchronised)) this.#unsynchronised += 1;
    if (sender.errorNs === undefined || reflector.errorNs === undefined) this.#silent += 1;
    else if (sender.errorNs + reflector.errorNs > this.#largest) this.#largest = sender.errorNs + reflector.errorNs;
  }

  /** Adds what another one has. */
  merge(other: ErrorBar): void {
    this.#answers += other.#answers;
    this.#unsynchronised += other.#unsynchronised;
    this.#silent += other.#silent;
    if (other.#largest > this.#largest) this.#largest = other.#largest;
  }

  /** What delays, the least of which is given, are worth. */
  trust(leastNs: number | undefined): OneWayTrust {
    if (this.#answers === 0 || leastNs === undefined) return "no-answers";
    const { errorNs } = this;
    if (!this.synchronised) return "unsynchronised";
    if (errorNs === undefined) return "error-unknown";
    return BigInt(leastNs) + errorNs < 0n ? "contradicted" : "trusted";
  }
}
