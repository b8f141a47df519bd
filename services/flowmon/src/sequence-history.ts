import type { Interval } from "./interval.ts";
import { type ProtocolClass, protocolClass } from "./protocol-class.ts";
import { addSequence, NO_SEQUENCE, type SequenceFigures } from "./sequence-figures.ts";

interface Entry {
  figures: SequenceFigures;
  lastNs: bigint;
}

/** What sequence numbers have said since the start: of every flow until it has been idle for long, and by protocol. */
export class SequenceHistory {
  readonly #idleNs: bigint;
  readonly #maxFlows: number;
  /** The one that had a packet longest ago first. */
  readonly #flows = new Map<string, Entry>();
  readonly #totals: Record<ProtocolClass, SequenceFigures> = { TCP: NO_SEQUENCE, UDP: NO_SEQUENCE, ICMP: NO_SEQUENCE };

  /**
   * @param idleNs flows without a packet for so long are forgotten, as the kernel does
   * @param maxFlows of more than these the ones are forgotten that have been idle for longest; protocols' sums stay
   */
  constructor(idleNs: bigint, maxFlows: number) {
    this.#idleNs = idleNs;
    this.#maxFlows = maxFlows;
  }

  add({ flows, toNs }: Interval): void {
    for (const { key, id, figures } of flows) {
      const name = protocolClass(id.protocol);
      if (!figures.sequence || !name) continue;
      const before = this.#flows.get(key)?.figures ?? NO_SEQUENCE;
      this.#flows.delete(key);
      this.#flows.set(key, { figures: addSequence(before, figures.sequence), lastNs: toNs });
      this.#totals[name] = addSequence(this.#totals[name], figures.sequence);
    }
    for (const [key, { lastNs }] of this.#flows) {
      if (this.#flows.size <= this.#maxFlows && toNs - lastNs <= this.#idleNs) break;
      this.#flows.delete(key);
    }
  }

  /** Of one flow, by its key; undefined if it had no numbers. */
  flow(key: string): SequenceFigures | undefined {
    return this.#flows.get(key)?.figures;
  }

  /** Of all flows of a protocol. */
  total(name: ProtocolClass): SequenceFigures {
    return this.#totals[name];
  }
}
