import {
  clockNow,
  type KernelClockHealth,
  kernelBootId,
  kernelClockHealth,
  monotonicNow,
  watchClockSteps,
} from "@waymark/bpf-runtime";
import { clockOffset } from "./clock-offset.ts";

/** The wall clock that blocks are cut by. */
export interface WallClock {
  /** Which kernel keeps it: agents with the same id share a clock. */
  readonly kernelBootId: string;
  /** Nanoseconds since the Unix epoch. */
  nowNs(): bigint;
  /** CLOCK_MONOTONIC in nanoseconds. */
  monotonicNs(): bigint;
  /** Unix time minus CLOCK_MONOTONIC, to a few microseconds: it changes when the clock is stepped, not when it is slewed. */
  offsetNs(): bigint;
  /** What to add to the kernel's CLOCK_TAI for Unix time, in nanoseconds. */
  offsetFromTaiNs(): bigint;
  health(): KernelClockHealth;
  /** Yields when the clock may have been stepped, until `signal` is aborted. */
  changes(signal: AbortSignal): AsyncIterable<unknown>;
}

/** CLOCK_REALTIME of this kernel. */
export function systemClock(): WallClock {
  return {
    kernelBootId: kernelBootId(),
    nowNs: clockNow,
    monotonicNs: monotonicNow,
    offsetNs: () => clockOffset(clockNow, monotonicNow),
    offsetFromTaiNs: () => BigInt(kernelClockHealth().taiOffsetS) * -1_000_000_000n,
    health: kernelClockHealth,
    changes: (signal) => watchClockSteps({ signal }),
  };
}
