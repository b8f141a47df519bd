import { type BlockName, blockKey } from "./block-set.ts";
import type { LossRow } from "./verdict.ts";

/** Flows of blocks that are remembered; the oldest blocks go first. */
const MAX_FLOWS = 200_000;

/** What has been told of which block, so that it is told again only when it is different. */
export class ToldBlocks {
  readonly #blocks = new Map<string, Map<string, string>>();
  #flows = 0;

  /** Whether anything has been told of the block. */
  has(block: BlockName): boolean {
    return this.#blocks.has(blockKey(block));
  }

  /** The flows of the block that have been told of. */
  flowsOf(block: BlockName): readonly string[] {
    return [...(this.#blocks.get(blockKey(block))?.keys() ?? [])];
  }

  /** Remembers what the row says. "same" if that has been told already. */
  remember(row: LossRow): "new" | "changed" | "same" {
    const key = blockKey(row);
    const flows = this.#blocks.get(key) ?? new Map<string, string>();
    const content = [row.revision, row.verdict, row.reasons, row.sentPackets, row.receivedPackets].join("/");
    const told = flows.get(row.flow);
    if (told === content) return "same";
    flows.set(row.flow, content);
    if (told === undefined) this.#flows++;
    // The latest last.
    this.#blocks.delete(key);
    this.#blocks.set(key, flows);
    this.#forget();
    return told === undefined ? "new" : "changed";
  }

  /** Forgets one flow of a block. */
  forget(block: BlockName, flow: string): void {
    if (this.#blocks.get(blockKey(block))?.delete(flow) === true) this.#flows--;
  }

  #forget(): void {
    for (const [key, flows] of this.#blocks) {
      if (this.#flows <= MAX_FLOWS) return;
      this.#blocks.delete(key);
      this.#flows -= flows.size;
    }
  }
}
