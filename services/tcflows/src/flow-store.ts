import { type FlowId, KEY_BYTES } from "./flow-key.ts";

// A look at a global object for every word of every key would cost more than the rest.
const { imul } = Math;

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
/** Words of 32 bits of a key. */
export const KEY_WORDS = KEY_BYTES / 4;
/** A key, its hash, and whether the slot is taken. */
const ENTRY_WORDS = KEY_WORDS + 2;
const HASH_AT = KEY_WORDS;
const TAKEN_AT = KEY_WORDS + 1;
/** Rows of a slab; slabs are added as they are needed, so that nothing is copied. */
const SLAB_BITS = 14;
const SLAB_ROWS = 1 << SLAB_BITS;
const FIRST_INDEX = 1 << 10;

/** Where a flow's row is: `slab[base + FIELD.x]`. Used again by the next `at`. */
export interface Row {
  slab: Float64Array;
  base: number;
}

/**
 * Flows by key, in rows of numbers, found by an open hash table over the keys' own words: a million strings and objects
 * would cost more than all the rest. Slots are used again after `remove`.
 */
export class FlowStore {
  readonly #rows: Float64Array[] = [];
  readonly #entries: Uint32Array[] = [];
  readonly #free: number[] = [];
  readonly #row: Row = { slab: new Float64Array(0), base: 0 };
  /** Nobody outside can choose keys that collide. */
  readonly #seed = Math.trunc(Math.random() * 2 ** 32);
  /** Slot + 1 by hash, 0 where there is none; at most half of it is in use. */
  #index: Int32Array;
  #end = 0;
  #size = 0;

  /** @param expected so many flows are entered without making the index larger */
  constructor(expected = 0) {
    this.#index = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(FIRST_INDEX, 2 * expected))));
  }

  /** Flows that are kept now. */
  get size(): number {
    return this.#size;
  }

  /** Slots are below this. */
  get end(): number {
    return this.#end;
  }

  /** The slot of the flow whose key is at `at` of `words`; -1 if it is not kept. */
  find(words: Uint32Array, at: number): number {
    const mask = this.#index.length - 1;
    const hash = this.#hash(words, at);
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = (this.#index[i] ?? 0) - 1;
      if (slot < 0 || this.#isAt(slot, hash, words, at)) return slot;
    }
  }

  /** Is a flow kept there? */
  has(slot: number): boolean {
    return this.#entry(slot)[entryAt(slot) + TAKEN_AT] === 1;
  }

  /** The flow of a slot. */
  id(slot: number): FlowId {
    const entry = this.#entry(slot);
    const octets = Buffer.from(entry.buffer, entry.byteOffset + entryAt(slot) * 4, KEY_BYTES);
    return octets.toString("latin1");
  }

  /** The row of a slot. */
  at(slot: number): Row {
    const slab = this.#rows[slot >>> SLAB_BITS];
    if (slab === undefined) throw new RangeError(`no slot ${slot}`);
    this.#row.slab = slab;
    this.#row.base = (slot & (SLAB_ROWS - 1)) * FIELDS;
    return this.#row;
  }

  /** A slot for a flow that is not kept yet, its row all zero. */
  add(words: Uint32Array, at: number): number {
    if (2 * (this.#size + 1) > this.#index.length) this.#grow();
    const slot = this.#free.pop() ?? this.#end++;
    if (slot >>> SLAB_BITS === this.#rows.length) {
      this.#rows.push(new Float64Array(SLAB_ROWS * FIELDS));
      this.#entries.push(new Uint32Array(SLAB_ROWS * ENTRY_WORDS));
    }
    const { slab, base } = this.at(slot);
    slab.fill(0, base, base + FIELDS);
    const entry = this.#entry(slot);
    const to = entryAt(slot);
    for (let i = 0; i < KEY_WORDS; i++) entry[to + i] = words[at + i] ?? 0;
    const hash = this.#hash(words, at);
    entry[to + HASH_AT] = hash;
    entry[to + TAKEN_AT] = 1;
    this.#enter(slot, hash);
    this.#size++;
    return slot;
  }

  /** Forgets a flow. */
  remove(slot: number): void {
    if (!this.has(slot)) return;
    const mask = this.#index.length - 1;
    let hole = this.#hashOf(slot) & mask;
    while (this.#index[hole] !== slot + 1) hole = (hole + 1) & mask;
    // What stands behind the hole and would not be found any more moves into it.
    for (let i = (hole + 1) & mask; this.#index[i] !== 0; i = (i + 1) & mask) {
      const home = this.#hashOf((this.#index[i] ?? 0) - 1) & mask;
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      this.#index[hole] = this.#index[i] ?? 0;
      hole = i;
    }
    this.#index[hole] = 0;
    this.#entry(slot)[entryAt(slot) + TAKEN_AT] = 0;
    this.#free.push(slot);
    this.#size--;
  }

  #entry(slot: number): Uint32Array {
    const entry = this.#entries[slot >>> SLAB_BITS];
    if (entry === undefined) throw new RangeError(`no slot ${slot}`);
    return entry;
  }

  #hashOf(slot: number): number {
    return this.#entry(slot)[entryAt(slot) + HASH_AT] ?? 0;
  }

  #isAt(slot: number, hash: number, words: Uint32Array, at: number): boolean {
    const entry = this.#entry(slot);
    const from = entryAt(slot);
    if (entry[from + HASH_AT] !== hash) return false;
    for (let i = 0; i < KEY_WORDS; i++) if (entry[from + i] !== words[at + i]) return false;
    return true;
  }

  /** As MurmurHash3 mixes words. */
  #hash(words: Uint32Array, at: number): number {
    let hash = this.#seed;
    for (let i = 0; i < KEY_WORDS; i++) {
      let word = imul(words[at + i] ?? 0, 0xcc9e2d51);
      word = (word << 15) | (word >>> 17);
      hash ^= imul(word, 0x1b873593);
      hash = (hash << 13) | (hash >>> 19);
      hash = (imul(hash, 5) + 0xe6546b64) | 0;
    }
    hash = imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #enter(slot: number, hash: number): void {
    const mask = this.#index.length - 1;
    let i = hash & mask;
    while (this.#index[i] !== 0) i = (i + 1) & mask;
    this.#index[i] = slot + 1;
  }

  #grow(): void {
    this.#index = new Int32Array(this.#index.length * 2);
    for (let slot = 0; slot < this.#end; slot++) if (this.has(slot)) this.#enter(slot, this.#hashOf(slot));
  }
}

function entryAt(slot: number): number {
  return (slot & (SLAB_ROWS - 1)) * ENTRY_WORDS;
}

/** The words of an id, as `FlowStore` takes them. */
export function wordsOf(id: FlowId): Uint32Array {
  const words = new Uint32Array(KEY_WORDS);
  Buffer.from(words.buffer).write(id, "latin1");
  return words;
}
