import type { Logger } from "@waymark/agent";
import type { Report } from "@waymark/proto/report";
import { MAX_AHEAD_NS } from "./fields.ts";
import { ClockDoubt } from "./refusal.ts";

/** How long an agreement says that the collector's clock is right. */
const AGREED_MS = 600_000;

/**
 * Whether a report from the future is to be refused. If its agent's clock is synchronised, the wrong clock may be the
 * collector's, and then it would refuse, for good, what every agent measures. So such a report is refused only while
 * another synchronised clock agrees with the collector's; otherwise it is left to be sent again.
 */
export class ClockAgreement {
  readonly #log: Logger;
  readonly #monotonicMs: () => number;
  #agreedMs = Number.NEGATIVE_INFINITY;
  #doubted = false;

  /** @param monotonicMs a clock that nobody sets */
  constructor(log: Logger, monotonicMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#monotonicMs = monotonicMs;
  }

  /** @throws ClockDoubt when it cannot be told whose clock is wrong */
  check(report: Report, nowNs: bigint): void {
    if (report.clock?.synchronised !== true || report.sentAtNs <= nowNs + MAX_AHEAD_NS) return;
    if (this.#monotonicMs() - this.#agreedMs < AGREED_MS) return;
    const text = `the collector's clock is wrong, or that of agent ${JSON.stringify(report.agent?.id)} is`;
    if (!this.#doubted) {
      this.#log.error("reports are not taken: an agent's synchronised clock is more than a day ahead", {
        agent: report.agent?.id,
        hint: `${text}: set it; the agent keeps its reports until then`,
      });
    }
    this.#doubted = true;
    throw new ClockDoubt(text);
  }

  /** Takes note of a valid report. */
  note(report: Report, nowNs: bigint): void {
    if (report.clock?.synchronised !== true || report.sentAtNs < nowNs - MAX_AHEAD_NS) return;
    this.#agreedMs = this.#monotonicMs();
    this.#doubted = false;
  }
}
