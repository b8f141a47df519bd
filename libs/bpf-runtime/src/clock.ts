import { readFileSync } from "node:fs";
import { check } from "./errors.ts";
import { native } from "./native.ts";

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const CLOCK_TAI = 11;
const NS_PER_US = 1000;

/** What the kernel itself says of its wall clock (`adjtimex(2)`). */
export interface KernelClockHealth {
  /** Some time daemon keeps it synchronised. */
  readonly synchronised: boolean;
  /** Bound of the error, nanoseconds. Grows while nobody disciplines the clock. */
  readonly maxErrorNs: bigint;
  /** Estimated error, nanoseconds. */
  readonly estimatedErrorNs: bigint;
  /** TAI − UTC in seconds; 0 on most hosts, which means that nobody told the kernel. */
  readonly taiOffsetS: number;
}

/** The state of the kernel's clock. Needs no privilege. */
export function kernelClockHealth(): KernelClockHealth {
  const health = native().clockHealth();
  check(health.status, "adjtimex", "kernel clock");
  return {
    synchronised: health.synchronised,
    maxErrorNs: BigInt(health.maxErrorUs * NS_PER_US),
    estimatedErrorNs: BigInt(health.estimatedErrorUs * NS_PER_US),
    taiOffsetS: health.taiOffsetS,
  };
}

/** Unix time in nanoseconds (CLOCK_REALTIME). */
export function clockNow(): bigint {
  return native().clockNow(CLOCK_REALTIME);
}

/** CLOCK_MONOTONIC in nanoseconds, as `bpf_ktime_get_ns()`. */
export function monotonicNow(): bigint {
  return native().clockNow(CLOCK_MONOTONIC);
}

/** CLOCK_TAI in nanoseconds, as `bpf_ktime_get_tai_ns()`. */
export function taiNow(): bigint {
  return native().clockNow(CLOCK_TAI);
}

/** Identifier of this boot of the kernel; the same in every container on it. */
export function kernelBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
