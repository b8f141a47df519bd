import { LossReason, LossVerdict } from "@waymark/proto/query";

/** One flow of one block as the loss view answers it. Counters are wire packets and IP bytes. */
export interface LossRow {
  readonly path: string;
  readonly flow: string;
  readonly intervalNs: bigint;
  readonly blockNumber: bigint;
  readonly startNs: bigint;
  readonly sentPackets: bigint;
  readonly receivedPackets: bigint;
  /** Sent minus received; 0 unless `numbered`. */
  readonly lostPackets: bigint;
  readonly sentL3Bytes: bigint;
  readonly receivedL3Bytes: bigint;
  readonly lossRatio: number;
  readonly verdict: LossVerdict;
  readonly reasons: readonly LossReason[];
  readonly revision: number;
  /** Whether `lostPackets` and `lossRatio` are numbers: both sides have reported and the path is confirmed. */
  readonly numbered: boolean;
  /** Ids of the agents that have contributed, sorted. */
  readonly agents: readonly string[];
  /** When the block is decided at the latest. */
  readonly deadlineNs: bigint;
  /** When the verdict was first known, or the latest change after that was stored; 0 while it is PENDING. */
  readonly changedNs: bigint;
}

/** How a reason is called in printed lines and metrics. */
export function reasonName(reason: LossReason): string {
  return (LossReason[reason] ?? "unknown").toLowerCase();
}

/** How a verdict is called in printed lines and metrics. */
export function verdictName(verdict: LossVerdict): string {
  return (LossVerdict[verdict] ?? "unknown").toLowerCase();
}

const HINTS: Partial<Record<LossReason, string>> = {
  [LossReason.COVERAGE]: "an end started, ended or was restarted in this block; the next whole block is exact",
  [LossReason.GUARD_BAND]: "packets arrived far from a boundary with the other colour: longer --guard or --interval",
  [LossReason.CLOCK]:
    "synchronise both clocks (NTP or PTP) to better than --guard, or vouch for them with --trust-clock",
  [LossReason.CLOCK_STEP]: "a wall clock was set while this block was counted",
  [LossReason.CONFIG]: "start both ends with the same --interval and the same --flow rules",
  [LossReason.PATH_UNCONFIRMED]:
    "the sink has not yet counted a marked packet: check that the traffic passes its interface, that it watches the " +
    "right one, and that nothing between the ends rewrites the DSCP",
  [LossReason.NEGATIVE]:
    "more arrived than was sent: packets were duplicated, or enter between the ends already marked",
  [LossReason.FRAGMENTED_ON_PATH]: "a router between the ends fragments packets: lower the sender's MTU",
  [LossReason.DUPLICATE_AGENT]: "two processes report under one identity: give each its own --agent-id",
};

/** What to do about a block that is not COMPLETE; empty when nothing is known. */
export function hintFor(verdict: LossVerdict, reasons: readonly LossReason[]): string {
  if (verdict === LossVerdict.MISSING_SINK)
    return "an expected sink has not reported: is it running, and does it reach the collector?";
  if (verdict === LossVerdict.MISSING_SOURCE)
    return "an expected source has not reported: is it running, and does it reach the collector?";
  if (verdict !== LossVerdict.INVALID) return "";
  return reasons.flatMap((reason) => HINTS[reason] ?? []).join("; ");
}
