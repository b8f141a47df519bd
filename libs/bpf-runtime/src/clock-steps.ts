import { clockNow, kernelClockHealth, monotonicNow } from "./clock.ts";
import { check } from "./errors.ts";
import { native } from "./native.ts";
import { Poller } from "./poller.ts";

/** The wall clock was set, or its TAI offset changed. */
export interface ClockStep {
  /** Unix time in nanoseconds when it was noticed, by the new clock. */
  readonly atNs: bigint;
  /** CLOCK_MONOTONIC at that moment, nanoseconds: it was not stepped. */
  readonly monotonicNs: bigint;
  readonly taiOffsetS: number;
}

/** How long to watch. */
export interface WatchOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

/**
 * Yields each time the wall clock is stepped (not when it is slewed), at once. Steps from the call on are seen; those
 * that come together are one.
 */
export function watchClockSteps(options: WatchOptions = {}): AsyncGenerator<ClockStep, void> {
  const fd = check(native().clockStepOpen(), "watch", "wall clock");
  let poller: Poller;
  try {
    poller = new Poller(fd, "wall clock");
  } catch (error) {
    native().closeFd(fd);
    throw error;
  }
  const steps = watch(fd, poller, options.signal);
  // A generator that was never started runs no `finally`.
  if (options.signal?.aborted) void steps.return();
  return steps;
}

async function* watch(fd: number, poller: Poller, signal: AbortSignal | undefined): AsyncGenerator<ClockStep, void> {
  const abort = (): void => poller.close();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    while (!signal?.aborted) {
      if (check(native().clockStepTaken(fd), "watch", "wall clock") > 0) {
        const { taiOffsetS } = kernelClockHealth();
        yield { atNs: clockNow(), monotonicNs: monotonicNow(), taiOffsetS };
      }
      await poller.readable();
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    poller.close();
    native().closeFd(fd);
  }
}
