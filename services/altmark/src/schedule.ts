/** Reads come this much after a block has come to rest, so that the kernel's own timer has surely fired. */
const AFTER_REST_NS = 5_000_000n;

/** Nanoseconds from `nowNs` (Unix time) until the next block is at rest: half an interval after its end. */
export function untilNextRead(nowNs: bigint, intervalNs: bigint): bigint {
  const offset = (nowNs + intervalNs / 2n - AFTER_REST_NS) % intervalNs;
  return intervalNs - offset;
}
