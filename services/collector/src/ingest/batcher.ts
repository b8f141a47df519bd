import type { Logger } from "@waymark/agent";
import type { StoreClock } from "../clock.ts";
import { type Store, StoreError } from "../store/store.ts";
import { Refusal } from "./refusal.ts";
import type { ReportKey } from "./report-key.ts";
import { type ReportRows, stampedText } from "./rows.ts";
import type { Touched } from "./touched.ts";

/** Rows of one insert, unless one report alone has more. */
export const MAX_BATCH_ROWS = 5000;
/** Characters of one insert, unless one report alone has more. */
export const MAX_BATCH_SIZE = 8 << 20;
/** How long the first row of a batch waits for others. */
export const MAX_BATCH_WAIT_MS = 100;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;

/** What an insert has changed. */
export type Stored = Touched;

interface Item {
  readonly key: ReportKey;
  readonly rows: ReportRows;
  readonly addedMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What the batcher has done since it began. */
export interface BatcherStats {
  insertedRows: number;
  inserts: number;
  failedInserts: number;
}

/**
 * Puts reports together into inserts: each insert is one atomic block of one table and one partition, and no report
 * is split over two. A failing insert is repeated until it works; meanwhile nothing else is taken. What may wait is
 * bounded by who adds.
 */
export class Batcher {
  readonly stats: BatcherStats = { insertedRows: 0, inserts: 0, failedInserts: 0 };
  readonly #store: Store;
  readonly #clock: StoreClock;
  readonly #log: Logger;
  readonly #onStored: (stored: Stored) => void;
  #items: Item[] = [];
  #size = 0;
  #rows = 0;
  #failing = false;
  #closing = false;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(store: Store, clock: StoreClock, log: Logger, onStored: (stored: Stored) => void = () => {}) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#onStored = onStored;
  }

  /** The characters that wait for their insert. */
  get waitingSize(): number {
    return this.#size;
  }

  /** Whether inserts fail at the moment. */
  get failing(): boolean {
    return this.#failing;
  }

  /** Resolves when the report is stored. Rejects with a Refusal when the store will never take it. */
  add(key: ReportKey, rows: ReportRows): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#items.push({ key, rows, addedMs: performance.now(), resolve, reject });
    this.#size += rows.text.length;
    this.#rows += rows.count;
    if (this.#full()) this.#wake?.();
    this.#running ??= this.#run();
    return promise;
  }

  /** Stores what waits, once; what then still fails is rejected. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#items.length > 0) {
      const restMs = MAX_BATCH_WAIT_MS - (performance.now() - (this.#items[0]?.addedMs ?? 0));
      if (restMs > 0 && !this.#full() && !this.#closing) await this.#pause(restMs);
      const batch = this.#take();
      await this.#insert(batch).catch((error: unknown) => {
        for (const item of batch) item.reject(error);
      });
      this.#size -= batch.reduce((sum, { rows }) => sum + rows.text.length, 0);
    }
    this.#running = undefined;
  }

  #full(): boolean {
    return this.#rows >= MAX_BATCH_ROWS || this.#size >= MAX_BATCH_SIZE;
  }

  // All that fits of the table whose turn it is: that of the item that waits longest.
  #take(): Item[] {
    const table = this.#items[0]?.rows.table;
    const batch: Item[] = [];
    const rest: Item[] = [];
    let rows = 0;
    let size = 0;
    let full = false;
    for (const item of this.#items) {
      const { rows: next } = item;
      const over = rows + next.count > MAX_BATCH_ROWS || size + next.text.length > MAX_BATCH_SIZE;
      if (next.table === table && over && batch.length > 0) full = true;
      if (full || next.table !== table) {
        rest.push(item);
        continue;
      }
      rows += next.count;
      size += next.text.length;
      batch.push(item);
    }
    this.#items = rest;
    this.#rows -= rows;
    return batch;
  }

  async #insert(batch: readonly Item[]): Promise<void> {
    const attempts: bigint[] = [];
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)) {
      const stamp = this.#clock.begin();
      attempts.push(stamp);
      try {
        await this.#store.insert(insertOf(batch, stamp));
        this.#clock.end();
        this.#failing = false;
        this.#succeeded(batch);
        return;
      } catch (error) {
        this.#clock.end();
        this.stats.failedInserts++;
        this.#failing = true;
        if (error instanceof StoreError && error.permanent) return this.#insertSingly(batch, error);
        this.#log.error("insert failed", { error, reports: batch.length, retry_ms: retryMs });
        if (this.#closing) throw error;
        await this.#pause(retryMs);
        if (await this.#isStored(batch, attempts)) return this.#succeeded(batch);
      }
    }
  }

  // One report that cannot be stored must not hold up the others.
  async #insertSingly(batch: readonly Item[], error: StoreError): Promise<void> {
    this.#failing = false;
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) {
      this.#log.error("report cannot be stored", { error, agent: only.key.agent });
      only.reject(new Refusal("unstorable", "the store cannot take it"));
      return;
    }
    for (const item of batch) await this.#insert([item]);
  }

  // A failure may have come after the rows were stored. An insert is all or nothing, so one of its rows tells.
  async #isStored(batch: readonly Item[], attempts: readonly bigint[]): Promise<boolean> {
    const [first] = batch;
    if (first === undefined) return true;
    const sql = `SELECT 1 AS found FROM ${first.rows.table} WHERE boot_id = {boot:String}
      AND sequence = {sequence:UInt64} AND stored_ns IN (${attempts.map((stamp) => stamp.toString()).join(",")}) LIMIT 1`;
    try {
      return (await this.#store.query(sql, { boot: first.key.bootId, sequence: first.key.sequence })).length > 0;
    } catch {
      // The store is away; the next attempt finds out.
      return false;
    }
  }

  #succeeded(batch: readonly Item[]): void {
    this.stats.inserts++;
    for (const { rows, resolve } of batch) {
      this.stats.insertedRows += rows.count;
      resolve();
    }
    this.#onStored({
      blocks: batch.flatMap(({ rows }) => rows.blocks),
      announced: batch.flatMap(({ rows }) => rows.announced),
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

function insertOf(batch: readonly Item[], stamp: bigint) {
  const [first] = batch;
  const body = Buffer.from(batch.map(({ rows }) => stampedText(rows, stamp)).join(""));
  return { table: first?.rows.table ?? "", columns: first?.rows.columns ?? [], body };
}
