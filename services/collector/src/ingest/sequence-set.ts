/** A closed range of sequences. */
export type SequenceRange = readonly [first: number, last: number];

/** Ranges kept per boot and kind: one gap more is one range more. */
export const MAX_RANGES = 1024;

/**
 * Which sequences are stored, as ranges. When there are more gaps than it keeps, it forgets the oldest ranges, and
 * answers "unknown" for what lies below `floor`: the store has to be asked then.
 */
export class SequenceSet {
  readonly #ranges: [number, number][] = [];
  readonly #limit: number;
  #floor = 1;

  constructor(ranges: readonly SequenceRange[] = [], limit = MAX_RANGES) {
    this.#limit = limit;
    for (const [first, last] of ranges) {
      this.#ranges.push([first, last]);
      this.#forget();
    }
  }

  /** Whether the sequence is in the set. */
  has(sequence: number): boolean | "unknown" {
    if (sequence < this.#floor) return "unknown";
    const range = this.#ranges[this.#lastStartingBefore(sequence)];
    return range !== undefined && sequence <= range[1];
  }

  /** Adds one sequence. What is below the floor stays unknown. */
  add(sequence: number): void {
    if (sequence < this.#floor || this.has(sequence) === true) return;
    const index = this.#lastStartingBefore(sequence);
    const before = this.#ranges[index];
    const after = this.#ranges[index + 1];
    const joinsBefore = before !== undefined && before[1] === sequence - 1;
    const joinsAfter = after !== undefined && after[0] === sequence + 1;
    if (joinsBefore && joinsAfter) {
      before[1] = after[1];
      this.#ranges.splice(index + 1, 1);
    } else if (joinsBefore) before[1] = sequence;
    else if (joinsAfter) after[0] = sequence;
    else this.#ranges.splice(index + 1, 0, [sequence, sequence]);
    this.#forget();
  }

  /** How many ranges are kept. */
  get rangeCount(): number {
    return this.#ranges.length;
  }

  #forget(): void {
    if (this.#ranges.length <= this.#limit) return;
    this.#ranges.shift();
    this.#floor = this.#ranges[0]?.[0] ?? this.#floor;
  }

  #lastStartingBefore(sequence: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.[0] ?? Number.POSITIVE_INFINITY) <= sequence) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
