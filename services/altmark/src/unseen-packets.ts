import type { Meter } from "./meter.ts";
import type { Reading } from "./reading.ts";

type Seeing = Pick<Meter, "interfacePackets" | "reasons" | "hasUnread">;

/**
 * Compares what the programs saw with the interface's own counter. The two count differently (super-packets, moments),
 * so only one thing is certain: the interface moved, and we saw nothing at all.
 */
export class UnseenPackets {
  #carried: bigint | undefined;
  #leftOut = 0n;
  #total = 0n;

  /** All that the interface carried while we saw nothing. */
  get total(): bigint {
    return this.#total;
  }

  /** What it carried unseen since the last look, at which `readings` were taken. */
  look(meter: Seeing, readings: readonly Reading[]): bigint {
    const carried = meter.interfacePackets();
    const leftOut = Object.values(meter.reasons()).reduce((sum, count) => sum + count, 0n);
    const moved = this.#carried === undefined ? 0n : carried - this.#carried;
    const sawSome = leftOut !== this.#leftOut || readings.some(hasPackets) || meter.hasUnread();
    this.#carried = carried;
    this.#leftOut = leftOut;
    if (sawSome || moved <= 0n) return 0n;
    this.#total += moved;
    return moved;
  }
}

function hasPackets(reading: Reading): boolean {
  return reading.counted.some((count) => count.packets > 0n);
}
