import type { FlowId } from "./flow-key.ts";

/** What is kept of a flow: places in its row. Times in nanoseconds since the agent's start, counts exact below 2^53. */
export const FIELD = {
  /** Since the last record. */
  pendingPackets: 0,
  pendingL3Bytes: 1,
  pendingL2Bytes: 2,
  pendingFirstNs: 3,
  pendingTcpFlags: 4,
  /** Since the flow began. */
  packets: 5,
  l3Bytes: 6,
  l2Bytes: 7,
  tcpFlags: 8,
  startNs: 9,
  lastNs: 10,
  /** As `packets` and so on were when the flow was last shown. */
  shownPackets: 11,
  shownL3Bytes: 12,
  shownL2Bytes: 13,
  /** When the last record was made, or the flow began. */
  recordNs: 14,
  /** Of the last packet; the addresses as numbers of 48 bits. */
  dscp: 15,
  sourceMac: 16,
  destinationMac: 17,
} as const;

const FIELDS = 18;
/** Rows of a slab; slabs are added as they are needed, so that nothing is copied. */
const SLAB_BITS = 14;
const SLAB_ROWS = 1 << SLAB_BITS;

/** Where a flow's row is: `slab[base + FIELD.x]`. Used again by the next `at`. */
export interface Row {
  slab: Float64Array;
  base: number;
}

/**
 * Flows by id, in rows of numbers: a million objects would cost the garbage collector more than the work itself. Slots are
 * used again after `remove`.
 */
export class FlowStore {
  readonly #slots = new Map<FlowId, number>();
  readonly #ids: (FlowId | undefined)[] = [];
  readonly #slabs: Float64Array[] = [];
  readonly #free: number[] = [];
  readonly #row: Row = { slab: new Float64Array(0), base: 0 };

  /** Flows that are kept now. */
  get size(): number {
    return this.#slots.size;
  }

  /** Slots are below this. */
  get end(): number {
    return this.#ids.length;
  }

  /** The slot of a flow; undefined if it is not kept. */
  find(id: FlowId): number | undefined {
    return this.#slots.get(id);
  }

  /** The flow of a slot; undefined if it is free. */
  id(slot: number): FlowId | undefined {
    return this.#ids[slot];
  }

  /** The row of a slot. */
  at(slot: number): Row {
    const slab = this.#slabs[slot >>> SLAB_BITS];
    if (slab === undefined) throw new RangeError(`no slot ${slot}`);
    this.#row.slab = slab;
    this.#row.base = (slot & (SLAB_ROWS - 1)) * FIELDS;
    return this.#row;
  }

  /** A slot for a flow that is not kept yet, its row all zero. */
  add(id: FlowId): number {
    const slot = this.#free.pop() ?? this.#ids.length;
    if (slot >>> SLAB_BITS === this.#slabs.length) this.#slabs.push(new Float64Array(SLAB_ROWS * FIELDS));
    this.#ids[slot] = id;
    this.#slots.set(id, slot);
    const { slab, base } = this.at(slot);
    slab.fill(0, base, base + FIELDS);
    return slot;
  }

  /** Forgets a flow. */
  remove(slot: number): void {
    const id = this.#ids[slot];
    if (id === undefined) return;
    this.#ids[slot] = undefined;
    this.#slots.delete(id);
    this.#free.push(slot);
  }
}
