import { blockStart, type Role } from "./block.ts";

/** A step of the wall clock: where it was in the blocks before and after. Nanoseconds since the Unix epoch. */
export interface ClockStep {
  readonly beforeNs: bigint;
  readonly afterNs: bigint;
}

/**
 * True if `blockNumber` was touched by `step`: one of its two moments lies in the block (for a sink: within the guard
 * band around it as well, since packets of the block arrive there), or the step jumped over it, either way.
 */
export function touchedByStep(
  role: Role,
  blockNumber: bigint,
  intervalNs: bigint,
  guardNs: bigint,
  step: ClockStep,
): boolean {
  const margin = role === "sink" ? guardNs : 0n;
  const from = blockStart(blockNumber, intervalNs) - margin;
  const to = blockStart(blockNumber, intervalNs) + intervalNs + margin;
  const [low, high] = step.beforeNs < step.afterNs ? [step.beforeNs, step.afterNs] : [step.afterNs, step.beforeNs];
  return low < to && high >= from;
}
