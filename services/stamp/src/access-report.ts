/** How often an Access Report is repeated until it is answered. */
export interface AccessReportLimits {
  /** How long an answer is waited for before the report is sent again. */
  readonly timeoutNs: bigint;
  /** How often it is sent again. */
  readonly retries: number;
}

/** What RFC 8972 section 4.6 recommends. */
export const ACCESS_REPORT_LIMITS: AccessReportLimits = { timeoutNs: 3_000_000_000n, retries: 4 };

/** `given-up`: not answered after all retries. */
export type AccessReportState = "waiting" | "answered" | "given-up";

/** Which test packets carry an Access Report TLV: the first, and one after each timeout until it is answered. */
export class AccessReporting {
  readonly #limits: AccessReportLimits;
  #transmissions = 0;
  #sentNs: bigint | undefined;
  #answered = false;

  constructor(limits: AccessReportLimits = ACCESS_REPORT_LIMITS) {
    this.#limits = limits;
  }

  /** Shall the packet that is sent now carry the report? Asked once for each packet. @param nowNs monotonic */
  carry(nowNs: bigint): boolean {
    if (this.state(nowNs) !== "waiting") return false;
    if (this.#sentNs !== undefined && nowNs < this.#sentNs + this.#limits.timeoutNs) return false;
    if (this.#transmissions > this.#limits.retries) return false;
    this.#transmissions += 1;
    this.#sentNs = nowNs;
    return true;
  }

  /** An answer with an Access Report TLV has come. */
  answered(): void {
    this.#answered = true;
  }

  /** What became of the report by `nowNs`, monotonic. */
  state(nowNs: bigint): AccessReportState {
    if (this.#answered) return "answered";
    const isOver = this.#transmissions > this.#limits.retries;
    const { timeoutNs } = this.#limits;
    return isOver && this.#sentNs !== undefined && nowNs >= this.#sentNs + timeoutNs ? "given-up" : "waiting";
  }
}
