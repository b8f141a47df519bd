import { errorLine, type Logger } from "@waymark/agent";
import { LossReason, LossVerdict } from "@waymark/proto/query";
import { type BlockName, BlockSet, blockKey } from "./block-set.ts";
import type { StoreClock } from "./clock.ts";
import type { Stored } from "./ingest/batcher.ts";
import { type LossCursor, listLoss } from "./store/loss-query.ts";
import type { Store } from "./store/store.ts";
import { readToldNs, readUntold, writeToldNs } from "./store/told-query.ts";
import { ToldBlocks } from "./told-blocks.ts";
import type { LossRow } from "./verdict.ts";

/** A block that was decided, or has changed since. */
export interface LossChange {
  readonly row: LossRow;
  /** It has been told of before, as far as this process knows; a revision above 1 is a change in any case. */
  readonly again: boolean;
}

/** Gets the changes of one evaluation, oldest block first. Must not block and not throw. */
export type LossListener = (changes: readonly LossChange[]) => void;

/** Least time between two evaluations; three times as long as the last one took if that is more. */
const MIN_PAUSE_MS = 200;
const MAX_PAUSE_MS = 2_000;
const PAUSE_FACTOR = 3;
const RETRY_MS = 2_000;
const MAX_TIMER_MS = 60_000;
/** A record or an announcement says who is expected in its block and in so many after it. */
const EXPECTED_BLOCKS = 3n;
/** The flow that takes in others where a table was full. */
const OTHER_FLOW = "other";
const ROWS_A_PAGE = 5_000;
// Of blocks that one evaluation reads together.
const MAX_GAP_NS = 600_000_000_000n;
const NS_PER_MS = 1_000_000n;

/**
 * Tells when blocks leave PENDING and when they change. One evaluation of the loss view serves printed lines, metrics
 * and every watcher; it looks only at blocks that reports have touched or whose time is up. Until when it has told is
 * stored after the listeners have heard, so that each change is told at least once, whenever the process is killed.
 */
export class LossFeed {
  readonly #store: Store;
  readonly #clock: StoreClock;
  readonly #log: Logger;
  readonly #listeners = new Set<LossListener>();
  readonly #open = new BlockSet();
  readonly #told = new ToldBlocks();
  #dirty = new BlockSet();
  // What processes before this one have told of.
  #toldBeforeNs = 0n;
  #starting = false;
  #timer: NodeJS.Timeout | undefined;
  #evaluating: Promise<void> | undefined;
  #closed = false;

  constructor(store: Store, clock: StoreClock, log: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Blocks forgotten because too many were open or touched at once. */
  get dropped(): number {
    return this.#open.dropped + this.#dirty.dropped;
  }

  /** No changes will be told any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Finds the blocks that are PENDING, and those that were decided or changed but not told of before the last end. */
  async start(): Promise<void> {
    const nowNs = this.#clock.readNs();
    const toldNs = await readToldNs(this.#store);
    if (toldNs === undefined) await writeToldNs(this.#store, nowNs);
    this.#toldBeforeNs = toldNs !== undefined && toldNs < nowNs ? toldNs : nowNs;
    const { blocks, open, announced } = await readUntold(this.#store, this.#toldBeforeNs);
    this.#starting = true;
    for (const block of open) this.#dirty.add(block, 0n);
    this.touched({ blocks, announced });
  }

  /** Takes note of what an insert has changed. */
  touched({ blocks, announced }: Stored): void {
    for (const block of blocks) this.#touch(block, EXPECTED_BLOCKS);
    for (const { path, intervalNs, atNs } of announced) {
      // Who leaves is not expected in the block after that one.
      this.#touch({ path, intervalNs, blockNumber: atNs / intervalNs }, EXPECTED_BLOCKS + 1n);
    }
    this.#schedule();
  }

  /** Adds a listener; call the answer to remove it. */
  subscribe(listener: LossListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Evaluates once more and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#evaluating;
    if (this.#dirty.size > 0) await this.#evaluate().catch((error: unknown) => this.#failed(error));
    // Lets those that wait see that it is over.
    for (const listener of this.#listeners) listener([]);
    this.#listeners.clear();
  }

  #schedule(minimumMs = 0): void {
    if (this.#closed || this.#evaluating !== undefined) return;
    const dueNs = this.#dirty.size > 0 ? 0n : this.#open.earliestNs();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (dueNs === undefined) return;
    const waitNs = dueNs - this.#clock.readNs();
    const waitMs = waitNs > 0n ? Number(waitNs / NS_PER_MS) + 1 : MIN_PAUSE_MS / 2;
    this.#timer = setTimeout(() => this.#run(), Math.min(Math.max(waitMs, minimumMs), MAX_TIMER_MS));
  }

  #run(): void {
    const began = performance.now();
    this.#evaluating = this.#evaluate()
      .then(() => Math.min(Math.max(PAUSE_FACTOR * (performance.now() - began), MIN_PAUSE_MS), MAX_PAUSE_MS))
      .catch((error: unknown) => this.#failed(error))
      .then((pauseMs) => {
        this.#evaluating = undefined;
        this.#schedule(pauseMs);
      });
  }

  #failed(error: unknown): number {
    this.#log.error("loss not evaluated", { error: errorLine(error) });
    return RETRY_MS;
  }

  #touch(block: BlockName, after: bigint): void {
    for (let ahead = 0n; ahead <= after; ahead++) {
      this.#dirty.add({ ...block, blockNumber: block.blockNumber + ahead }, 0n);
    }
  }

  async #evaluate(): Promise<void> {
    const nowNs = this.#clock.readNs();
    const wanted = this.#dirty;
    this.#dirty = new BlockSet(wanted.dropped);
    for (const block of this.#open.due(nowNs)) wanted.add(block, 0n);
    let told = 0;
    try {
      for (const { fromNs, toNs } of wanted.ranges(MAX_GAP_NS)) {
        told += await this.#evaluateRange(nowNs, fromNs, toNs, wanted);
      }
      // What is stored in the same instant may not have been seen.
      if (told > 0) await writeToldNs(this.#store, nowNs - 1n);
    } catch (error) {
      for (const block of wanted.values()) this.#dirty.add(block, 0n);
      throw error;
    }
    this.#starting = false;
  }

  async #evaluateRange(nowNs: bigint, fromNs: bigint, toNs: bigint, wanted: BlockSet): Promise<number> {
    const filter = { path: "", flow: "", agent: "", fromNs, toNs };
    // Rows of blocks that were told of before this evaluation.
    const again = new Map<string, LossRow[] | undefined>();
    let told = 0;
    let after: LossCursor | undefined;
    do {
      const { rows, next } = await listLoss(this.#store, nowNs, filter, ROWS_A_PAGE, after);
      const found = rows.filter((row) => wanted.has(row));
      for (const row of found) {
        const key = blockKey(row);
        if (!again.has(key)) again.set(key, this.#told.has(row) ? [] : undefined);
        again.get(key)?.push(row);
      }
      told += this.#tell(found);
      after = next;
    } while (after !== undefined);
    return told + this.#announce([...again.values()].flatMap((rows) => this.#folded(rows ?? [])));
  }

  #tell(rows: readonly LossRow[]): number {
    const changes: LossChange[] = [];
    for (const row of rows) {
      if (row.verdict === LossVerdict.PENDING) {
        this.#open.add(row, row.deadlineNs);
        continue;
      }
      this.#open.delete(row);
      const news = this.#told.remember(row);
      const toldBefore = row.changedNs <= this.#toldBeforeNs;
      if (news === "same" || (this.#starting && toldBefore)) continue;
      changes.push({ row, again: news === "changed" || toldBefore });
    }
    return this.#announce(changes);
  }

  // Flows that have been told of, and that a late report's overflow has moved to the flow "other".
  #folded(rows: readonly LossRow[]): LossChange[] {
    const [first] = rows;
    const flows = new Set(rows.map(({ flow }) => flow));
    if (first === undefined || first.verdict === LossVerdict.PENDING || !flows.has(OTHER_FLOW)) return [];
    const gone = this.#told.flowsOf(first).filter((flow) => !flows.has(flow));
    return gone.map((flow) => {
      this.#told.forget(first, flow);
      const nothing = { sentPackets: 0n, receivedPackets: 0n, lostPackets: 0n, sentL3Bytes: 0n, receivedL3Bytes: 0n };
      const judged = { lossRatio: 0, verdict: LossVerdict.INVALID, reasons: [LossReason.OVERFLOW], numbered: false };
      return { row: { ...first, flow, ...nothing, ...judged }, again: true };
    });
  }

  #announce(changes: readonly LossChange[]): number {
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
    return changes.length;
  }
}
