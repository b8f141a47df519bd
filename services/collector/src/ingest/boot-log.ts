import { SequenceSet } from "./sequence-set.ts";

/** Reports over which the clock offset is the minimum. */
const OFFSET_WINDOW = 16;

/** What became of a report. */
export type Outcome =
  | { readonly status: "stored" | "duplicate" }
  | { readonly status: "refused"; readonly refusal: Error };

/** What the collector has of one boot of one agent. */
export class BootLog {
  /** Sequences in the store, by kind. */
  readonly stored: Map<string, SequenceSet>;
  /** Sequences on their way into the store, by kind and sequence. */
  readonly underWay = new Map<string, Promise<Outcome>>();
  readonly #offsetsNs: bigint[];

  /**
   * @param stored sequences by kind
   * @param offsetsNs arrival minus sending of the latest reports, oldest first
   */
  constructor(stored: Map<string, SequenceSet> = new Map(), offsetsNs: readonly bigint[] = []) {
    this.stored = stored;
    this.#offsetsNs = offsetsNs.slice(-OFFSET_WINDOW);
  }

  /** The sequences stored of one kind. */
  sequences(kind: string): SequenceSet {
    let set = this.stored.get(kind);
    if (set === undefined) {
      set = new SequenceSet();
      this.stored.set(kind, set);
    }
    return set;
  }

  /**
   * Notes how long a report was on its way by the two clocks, and returns the least of the latest 16: the collector's
   * clock minus the agent's as far as transmission lets it be seen. Negative: the agent's clock is ahead.
   */
  offsetNs(sampleNs: bigint): bigint {
    this.#offsetsNs.push(sampleNs);
    if (this.#offsetsNs.length > OFFSET_WINDOW) this.#offsetsNs.shift();
    return this.#offsetsNs.reduce((least, offset) => (offset < least ? offset : least));
  }
}
