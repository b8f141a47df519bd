/**
 * Compares what the programs saw with the interface's own counter. The two count differently (super-packets, moments),
 * so only one thing is certain: the interface moved, and we saw nothing at all. Its counter may lag: what it counts now
 * may have been seen before the last look.
 */
export class UnseenPackets {
  #carried: bigint | undefined;
  #sawBefore = false;
  #total = 0n;

  /** All that the interface carried while we saw nothing. */
  get total(): bigint {
    return this.#total;
  }

  /**
   * What it carried unseen since the last look; 0 as well when something was seen between the two looks before.
   *
   * @param carried the interface's own counter
   * @param sawSome whether any packet was seen since the last look
   */
  look(carried: bigint, sawSome: boolean): bigint {
    const moved = this.#carried === undefined ? 0n : carried - this.#carried;
    this.#carried = carried;
    const quiet = !sawSome && !this.#sawBefore;
    this.#sawBefore = sawSome;
    if (!quiet || moved <= 0n) return 0n;
    this.#total += moved;
    return moved;
  }
}
