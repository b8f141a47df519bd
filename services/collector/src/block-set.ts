/** Which block of which path, whatever else is known of it. */
export interface BlockName {
  readonly path: string;
  readonly intervalNs: bigint;
  readonly blockNumber: bigint;
}

interface Entry {
  readonly block: BlockName;
  readonly atNs: bigint;
}

/** Blocks kept in one set; the oldest go first. */
const MAX_BLOCKS = 100_000;

/** A bounded set of blocks, each with a time that means something to its owner. */
export class BlockSet {
  readonly #entries = new Map<string, Entry>();
  #dropped: number;

  /** @param dropped what the counter begins at */
  constructor(dropped = 0) {
    this.#dropped = dropped;
  }

  /** Blocks that were dropped because the set was full. */
  get dropped(): number {
    return this.#dropped;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Adds a block, or gives it another time. */
  add(block: BlockName, atNs: bigint): void {
    this.#entries.set(blockKey(block), { block, atNs });
    const oldest = this.#entries.keys().next();
    if (this.#entries.size <= MAX_BLOCKS || oldest.done) return;
    this.#entries.delete(oldest.value);
    this.#dropped++;
  }

  delete(block: BlockName): void {
    this.#entries.delete(blockKey(block));
  }

  has(block: BlockName): boolean {
    return this.#entries.has(blockKey(block));
  }

  /** All blocks, in the order of adding. */
  values(): readonly BlockName[] {
    return [...this.#entries.values()].map(({ block }) => block);
  }

  /** Takes out the blocks whose time has come. */
  due(nowNs: bigint): readonly BlockName[] {
    const blocks: BlockName[] = [];
    for (const [name, { block, atNs }] of this.#entries) {
      if (atNs > nowNs) continue;
      this.#entries.delete(name);
      blocks.push(block);
    }
    return blocks;
  }

  /** The earliest time of all; undefined when the set is empty. */
  earliestNs(): bigint | undefined {
    let earliest: bigint | undefined;
    for (const { atNs } of this.#entries.values()) if (earliest === undefined || atNs < earliest) earliest = atNs;
    return earliest;
  }

  /** Ranges of time [fromNs, toNs) in which the blocks start; starts further apart than `gapNs` are in two. */
  ranges(gapNs: bigint): readonly { readonly fromNs: bigint; readonly toNs: bigint }[] {
    const starts = [...this.#entries.values()].map(({ block }) => block.blockNumber * block.intervalNs);
    starts.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const ranges: { fromNs: bigint; toNs: bigint }[] = [];
    for (const startNs of starts) {
      const last = ranges.at(-1);
      if (last !== undefined && startNs - last.toNs <= gapNs) last.toNs = startNs + 1n;
      else ranges.push({ fromNs: startNs, toNs: startNs + 1n });
    }
    return ranges;
  }
}

/** One text for one block. */
export function blockKey({ path, intervalNs, blockNumber }: BlockName): string {
  return `${blockNumber}/${intervalNs}/${path}`;
}
