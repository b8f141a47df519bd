const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;

/** How long to wait, and for what. */
export interface WaitOptions {
  /** Give up after this time. */
  readonly deadlineMs: number;
  /** Named in the error. */
  readonly what?: string;
}

/**
 * Waits until `condition` returns something truthy and returns that. A condition that throws counts as not yet true;
 * its last error is the cause of the rejection.
 * @throws {Error} the deadline passed
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { deadlineMs, what = "condition" }: WaitOptions,
): Promise<Exclude<T, undefined | null | false | 0 | "">> {
  const end = performance.now() + deadlineMs;
  let pause = FIRST_PAUSE_MS;
  let last: unknown;
  let cause: unknown;
  for (;;) {
    try {
      last = await condition();
      cause = undefined;
      if (last) return last as Exclude<T, undefined | null | false | 0 | "">;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= end) {
      const seen = cause === undefined ? `last value ${String(last)}` : `last error ${String(cause)}`;
      throw new Error(`${what}: not reached within ${deadlineMs} ms (${seen})`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}
