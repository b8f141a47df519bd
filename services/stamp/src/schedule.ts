/** When packets are due: ascending times on whatever clock the first is on. */
export interface Schedule {
  /** The time at which the next packet is due, nanoseconds. */
  next(): bigint;
}

/** A packet every `intervalNs`, the first at `startNs`. Delays in sending do not add up. */
export function periodic(startNs: bigint, intervalNs: bigint): Schedule {
  let count = 0n;
  return { next: () => startNs + count++ * intervalNs };
}

/** Gaps are never longer than so many means: one in 10^13 would be. */
const LONGEST_GAP = 30;

/**
 * Packets at random, `meanNs` apart on average (a Poisson process, RFC 2330 section 11.1.1), the first at `startNs`: what
 * repeats in the network at a fixed interval is then neither always met nor always missed.
 * @param random uniform in [0, 1)
 */
export function poisson(startNs: bigint, meanNs: bigint, random: () => number = Math.random): Schedule {
  let dueNs = startNs;
  return {
    next() {
      const now = dueNs;
      const gap = Math.min(LONGEST_GAP, -Math.log(1 - random()));
      dueNs += BigInt(Math.round(gap * Number(meanNs)));
      return now;
    },
  };
}
