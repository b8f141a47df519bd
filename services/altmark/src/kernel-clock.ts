/** What the packet programs take the time for: the open block, and where in it. */
export interface KernelClock {
  readonly block: bigint;
  /** Whether packets are counted. */
  readonly active: boolean;
  /** The block's second half has begun, so the block before it is at rest. */
  readonly secondHalf: boolean;
}

const PHASE_BITS = 3n;
const ACTIVE = 4n;
const SECOND_HALF = 2n;

/** Reads `altmark_now` (altmark.h): block number << 3 | active << 2 | phase. */
export function parseKernelClock(word: bigint): KernelClock {
  return {
    block: word >> PHASE_BITS,
    active: (word & ACTIVE) !== 0n,
    secondHalf: (word & SECOND_HALF) !== 0n,
  };
}
