import { Fifo } from "./fifo.ts";
import type { QueuedReport } from "./queued-report.ts";

/** What a report takes in memory beside its bytes, roughly. */
const OVERHEAD_BYTES = 256;

/** Reports in memory, bounded in bytes: the oldest make room for the newest. */
export class MemoryQueue {
  readonly #limitBytes: number;
  readonly #reports = new Fifo<QueuedReport>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Adds a report; returns how many were dropped for it (itself, when it alone is too big). */
  push(report: QueuedReport): number {
    this.#reports.push(report);
    this.#bytes += cost(report);
    let dropped = 0;
    while (this.#bytes > this.#limitBytes) {
      this.shift();
      dropped++;
    }
    return dropped;
  }

  /** Takes the oldest report. */
  shift(): QueuedReport | undefined {
    const report = this.#reports.shift();
    if (report !== undefined) this.#bytes -= cost(report);
    return report;
  }
}

function cost(report: QueuedReport): number {
  return report.bytes.length + OVERHEAD_BYTES;
}
