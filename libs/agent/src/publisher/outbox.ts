import type { Logger } from "../logger.ts";
import type { Bell } from "./bell.ts";
import { MemoryQueue } from "./memory-queue.ts";
import type { QueuedReport } from "./queued-report.ts";
import { Spool } from "./spool.ts";
import type { SpoolMark } from "./spool-segment.ts";

/** A report that was taken for sending; it ends with `acknowledge`, `refuse` or `giveBack`. */
export interface OutboxEntry {
  readonly report: QueuedReport;
  /** In the order of taking. */
  readonly order: number;
  readonly mark?: SpoolMark;
}

/** What has become of the reports of one target. */
export interface OutboxCounts {
  published: number;
  recovered: number;
  acknowledged: number;
  refused: number;
  dropped: number;
  spooled: number;
  spoolErrors: number;
}

/** What an outbox is made of. */
export interface OutboxOptions {
  readonly memoryBytes: number;
  /** Without it reports are in memory only. */
  readonly spool?: { readonly directory: string; readonly limitBytes: number };
  /** Rung when there may be something to take, or nothing is pending any more. */
  readonly bell: Bell;
  readonly logger: Logger;
}

/** The reports of one target, from `put` until the other side has them: on disk if there is a spool, else in memory. */
export class Outbox {
  readonly counts: OutboxCounts = {
    published: 0,
    recovered: 0,
    acknowledged: 0,
    refused: 0,
    dropped: 0,
    spooled: 0,
    spoolErrors: 0,
  };
  readonly #memory: MemoryQueue;
  readonly #spool: Spool | undefined;
  readonly #bell: Bell;
  readonly #logger: Logger;
  #returned: OutboxEntry[] = [];
  #order = 0;
  #closed = false;

  constructor({ memoryBytes, spool, bell, logger }: OutboxOptions) {
    this.#memory = new MemoryQueue(memoryBytes);
    this.#bell = bell;
    this.#logger = logger;
    this.#spool = spool && new Spool(spool.directory, spool.limitBytes, this.#spoolEvents(), logger);
  }

  /** Reports neither acknowledged nor given up. */
  get pending(): number {
    const { published, recovered, acknowledged, refused, dropped } = this.counts;
    return published + recovered - acknowledged - refused - dropped;
  }

  /** Bytes that spool files take. */
  get spoolBytes(): number {
    return this.#spool?.bytes ?? 0;
  }

  /** Takes a report over; the oldest ones in memory make room for it. */
  put(report: QueuedReport): void {
    this.counts.published++;
    if (this.#closed) this.#drop(1);
    else if (!this.#spool?.append(report)) this.#remember(report);
  }

  /** Counts a report that cannot be sent anywhere. */
  putUnsendable(): void {
    this.counts.published++;
    this.#drop(1);
  }

  /** The next report to send: first those that came back, then the spool's, then those in memory. */
  take(): OutboxEntry | undefined {
    const returned = this.#returned.shift();
    if (returned !== undefined) return returned;
    const spooled = this.#spool?.take();
    if (spooled !== undefined) return { ...spooled, order: this.#order++ };
    const report = this.#memory.shift();
    return report && { report, order: this.#order++ };
  }

  /** The other side has stored it. */
  acknowledge(entry: OutboxEntry): void {
    this.counts.acknowledged++;
    this.#settle(entry);
  }

  /** The other side will never take it. */
  refuse(entry: OutboxEntry): void {
    this.counts.refused++;
    this.#settle(entry);
  }

  /** To be sent again, before all others. */
  giveBack(entries: Iterable<OutboxEntry>): void {
    this.#returned.push(...entries);
    this.#returned.sort((a, b) => a.order - b.order);
    this.#bell.ring();
  }

  /** Takes nothing more; what is on disk stays there. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#spool?.close();
  }

  #settle({ mark }: OutboxEntry): void {
    if (mark !== undefined) this.#spool?.settle(mark);
    this.#bell.ring();
  }

  #remember(report: QueuedReport): void {
    this.#drop(this.#memory.push(report));
    this.#bell.ring();
  }

  #drop(count: number): void {
    if (count === 0) return;
    const before = this.counts.dropped;
    this.counts.dropped += count;
    // Said at 1, 2, 4, 8, … so that a long outage does not fill the log.
    if (Math.floor(Math.log2(this.counts.dropped)) > Math.floor(Math.log2(before))) {
      this.#logger.warn("reports dropped: no room", { dropped: this.counts.dropped });
    }
    this.#bell.ring();
  }

  #spoolEvents() {
    return {
      recovered: (count: number) => {
        this.counts.recovered += count;
        this.#bell.ring();
      },
      written: (count: number) => {
        this.counts.spooled += count;
      },
      failed: (reports: readonly QueuedReport[]) => {
        this.counts.spoolErrors += reports.length;
        for (const report of reports) this.#remember(report);
      },
      dropped: (count: number) => this.#drop(count),
      readable: () => this.#bell.ring(),
    };
  }
}
