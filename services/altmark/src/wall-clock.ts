import {
  clockNow,
  type KernelClockHealth,
  kernelBootId,
  kernelClockHealth,
  monotonicNow,
  watchClockSteps,
} from "@waymark/bpf-runtime";
import type { ClockStep } from "./clock-step.ts";

/** The wall clock that blocks are cut by. */
export interface WallClock {
  /** Which kernel keeps it: agents with the same id share a clock. */
  readonly kernelBootId: string;
  /** Nanoseconds since the Unix epoch. */
  nowNs(): bigint;
  /** CLOCK_MONOTONIC in nanoseconds. */
  monotonicNs(): bigint;
  /** What to add to the kernel's CLOCK_TAI for Unix time, in nanoseconds. */
  offsetFromTaiNs(): bigint;
  health(): KernelClockHealth;
  /** The steps of this clock, as they happen, until `signal` is aborted. */
  steps(signal: AbortSignal): AsyncIterable<ClockStep>;
}

/** CLOCK_REALTIME of this kernel. */
export function systemClock(): WallClock {
  return {
    kernelBootId: kernelBootId(),
    nowNs: clockNow,
    monotonicNs: monotonicNow,
    offsetFromTaiNs: () => BigInt(kernelClockHealth().taiOffsetS) * -1_000_000_000n,
    health: kernelClockHealth,
    steps: systemSteps,
  };
}

async function* systemSteps(signal: AbortSignal): AsyncGenerator<ClockStep> {
  let offset = clockNow() - monotonicNow();
  for await (const { atNs, monotonicNs } of watchClockSteps({ signal })) {
    yield { beforeNs: monotonicNs + offset, afterNs: atNs };
    offset = atNs - monotonicNs;
  }
}
