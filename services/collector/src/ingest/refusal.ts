/** Why a report is never taken; a metric label, so the list is closed. */
export const refusalReasons = [
  "malformed",
  "oversized",
  "unknown_kind",
  "subject",
  "identity",
  "sequence",
  "time",
  "ahead",
  "clock",
  "counters",
  "block",
  "flow",
  "presence",
  "rtt",
  "delay",
  "throughput",
  "distribution",
  "unstorable",
] as const;

/** See {@link refusalReasons}. */
export type RefusalReason = (typeof refusalReasons)[number];

/** A report that is refused for good, in one sentence for the agent's log. */
export class Refusal extends Error {
  readonly code = "REPORT_REFUSED";
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.name = "Refusal";
    this.reason = reason;
  }
}

/**
 * A report that is neither taken nor refused: by its time either its agent's clock is wrong or ours, and nothing says
 * which. It is to be sent again.
 */
export class ClockDoubt extends Error {
  readonly code = "CLOCK_DOUBT";

  constructor(message: string) {
    super(message);
    this.name = "ClockDoubt";
  }
}

/** Throws a Refusal unless the condition holds. */
export function check(condition: boolean, reason: RefusalReason, message: string): asserts condition {
  if (!condition) throw new Refusal(reason, message);
}
