import { errorLine, type Logger } from "@waymark/agent";
import { LossVerdict } from "@waymark/proto/query";
import { BlockSet } from "./block-set.ts";
import type { StoreClock } from "./clock.ts";
import type { Stored } from "./ingest/batcher.ts";
import { END_OF_TIME_NS, type LossCursor, listLoss } from "./store/loss-query.ts";
import { LOSS_ROW_COLUMNS, lossRow } from "./store/loss-row.ts";
import { lossRule } from "./store/loss-view.ts";
import type { Store } from "./store/store.ts";
import type { LossRow } from "./verdict.ts";

/** A block that was decided, or has changed since. */
export interface LossChange {
  readonly row: LossRow;
  /** This process has told of it before. */
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
/** What is told again only if it is different: flows of blocks. */
const MAX_TOLD = 200_000;
const ROWS_A_PAGE = 5_000;
// Of blocks that one evaluation reads together.
const MAX_GAP_NS = 600_000_000_000n;
const NS_PER_MS = 1_000_000n;

/**
 * Tells when blocks leave PENDING and when they change. One evaluation of the loss view serves printed lines, metrics
 * and every watcher; it looks only at blocks that reports have touched or whose time is up.
 */
export class LossFeed {
  readonly #store: Store;
  readonly #clock: StoreClock;
  readonly #log: Logger;
  readonly #listeners = new Set<LossListener>();
  readonly #open = new BlockSet();
  readonly #told = new Map<string, string>();
  #dirty = new BlockSet();
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

  /** Finds the blocks that are PENDING in the store, so that they are told of when they are decided. */
  async start(): Promise<void> {
    const [row] = await this.#store.query("SELECT max(interval_ns) AS longest_ns FROM loss_record");
    const longestNs = BigInt(String(row?.["longest_ns"] ?? 0));
    const nowNs = this.#clock.readNs();
    const backNs = 4n * longestNs + 10_000_000_000n;
    const rows = await this.#store.query(
      `SELECT ${LOSS_ROW_COLUMNS} FROM (${lossRule()}) WHERE verdict = ${LossVerdict.PENDING}`,
      { now_ns: nowNs, from_ns: nowNs > backNs ? nowNs - backNs : 0n, to_ns: END_OF_TIME_NS, path: "" },
    );
    for (const found of rows.map(lossRow)) this.#open.add(found, found.deadlineNs);
    this.#schedule();
  }

  /** Takes note of what an insert has changed. */
  touched({ blocks, announced }: Stored): void {
    for (const block of blocks) this.#dirty.add(block, 0n);
    const paths = new Set(announced);
    if (paths.size > 0) {
      for (const block of this.#open.values()) if (paths.has(block.path)) this.#dirty.add(block, 0n);
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

  async #evaluate(): Promise<void> {
    const nowNs = this.#clock.readNs();
    const wanted = this.#dirty;
    this.#dirty = new BlockSet(wanted.dropped);
    for (const block of this.#open.due(nowNs)) wanted.add(block, 0n);
    try {
      for (const { fromNs, toNs } of wanted.ranges(MAX_GAP_NS)) await this.#evaluateRange(nowNs, fromNs, toNs, wanted);
    } catch (error) {
      for (const block of wanted.values()) this.#dirty.add(block, 0n);
      throw error;
    }
  }

  async #evaluateRange(nowNs: bigint, fromNs: bigint, toNs: bigint, wanted: BlockSet): Promise<void> {
    const filter = { path: "", flow: "", agent: "", fromNs, toNs };
    let after: LossCursor | undefined;
    do {
      const { rows, next } = await listLoss(this.#store, nowNs, filter, ROWS_A_PAGE, after);
      this.#tell(rows.filter((row) => wanted.has(row)));
      after = next;
    } while (after !== undefined);
  }

  #tell(rows: readonly LossRow[]): void {
    const changes: LossChange[] = [];
    for (const row of rows) {
      if (row.verdict === LossVerdict.PENDING) {
        this.#open.add(row, row.deadlineNs);
        continue;
      }
      this.#open.delete(row);
      const name = `${row.startNs}/${row.intervalNs}/${row.path}/${row.flow}`;
      const content = [row.revision, row.verdict, row.reasons, row.sentPackets, row.receivedPackets].join("/");
      const told = this.#told.get(name);
      if (told === content) continue;
      this.#remember(name, content);
      changes.push({ row, again: told !== undefined });
    }
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
  }

  #remember(name: string, content: string): void {
    this.#told.delete(name);
    this.#told.set(name, content);
    const oldest = this.#told.keys().next();
    if (this.#told.size > MAX_TOLD && !oldest.done) this.#told.delete(oldest.value);
  }
}
