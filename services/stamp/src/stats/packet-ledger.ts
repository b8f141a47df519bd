import type { Delays } from "./answer.ts";
import type { Summary } from "./summary.ts";

/** What is known of a packet that was sent. */
export interface LedgerEntry {
  /** Its sequence number, unwrapped. */
  readonly position: number;
  readonly sentNs: bigint;
  /** The interval that it was sent in. */
  readonly interval: Summary;
  state: "waiting" | "answered" | "late" | "lost";
  reflectorSequence: number;
  /** Undefined unless answered in time, with times. */
  delays: Delays | undefined;
}

/** The packets of a session that were sent last, by sequence number. */
export class PacketLedger {
  readonly #entries: (LedgerEntry | undefined)[];

  /** @param capacity so many are remembered */
  constructor(capacity: number) {
    this.#entries = new Array<LedgerEntry | undefined>(capacity).fill(undefined);
  }

  /** Remembers a packet that is sent, and forgets the one whose place it takes. */
  add(position: number, sentNs: bigint, interval: Summary): LedgerEntry {
    const entry: LedgerEntry = {
      position,
      sentNs,
      interval,
      state: "waiting",
      reflectorSequence: 0,
      delays: undefined,
    };
    this.#entries[position % this.#entries.length] = entry;
    return entry;
  }

  /** A packet that is still remembered. */
  get(position: number): LedgerEntry | undefined {
    const entry = this.#entries[position % this.#entries.length];
    return entry?.position === position ? entry : undefined;
  }
}
