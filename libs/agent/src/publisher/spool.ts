import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorLine } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { Fifo } from "./fifo.ts";
import type { QueuedReport } from "./queued-report.ts";
import { encodeRecord } from "./spool-record.ts";
import { type SpoolMark, SpoolSegment } from "./spool-segment.ts";

/** The limit is divided into this many files; the oldest goes when there is no room. */
const SEGMENTS = 16;
const MAX_SEGMENT_BYTES = 8 * 1024 * 1024;
/** Reports read ahead for sending. */
const READ_AHEAD_BYTES = 1024 * 1024;
/** Reports waiting to be written; beyond it the disk is too slow and memory takes over. */
const WAITING_BYTES = 4 * 1024 * 1024;
/** Written at once. */
const BATCH_BYTES = 1024 * 1024;
/** The disk is left alone so long after an error. */
const RETRY_MS = 1_000;
const CLOSE_DEADLINE_MS = 2_000;
const SEGMENT_NAME = /^(\d{10})\.seg$/;

/** What a spool tells its owner. */
export interface SpoolEvents {
  /** Reports of earlier processes were found. */
  recovered(count: number): void;
  /** Reports were written. */
  written(count: number): void;
  /** Reports could not be written; they are the owner's again. */
  failed(reports: readonly QueuedReport[]): void;
  /** Reports were given up: the oldest file made room, or a file cannot be read. */
  dropped(count: number): void;
  /** `take` may have something. */
  readable(): void;
}

/** A report on its way to the disk. */
interface Waiting {
  readonly report: QueuedReport;
  readonly record: Buffer;
}

/**
 * Reports in append-only files: first in, first out, bounded in bytes, kept over the death of the process (not of the
 * machine: nothing is synced). All file work is done by one loop, off the caller's path.
 */
export class Spool {
  readonly #directory: string;
  readonly #limitBytes: number;
  readonly #segmentBytes: number;
  readonly #events: SpoolEvents;
  readonly #logger: Logger;
  readonly #waiting = new Fifo<Waiting>();
  readonly #ready = new Fifo<{ readonly report: QueuedReport; readonly mark: SpoolMark }>();
  /** Oldest first; the last one is written to when `#writing`. */
  #segments: SpoolSegment[] = [];
  #writing = false;
  #nextNumber = 1;
  #waitingBytes = 0;
  #readyBytes = 0;
  #retryAt = 0;
  #healthy = true;
  #closing = false;
  #closed = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #work: Promise<void> | undefined;

  constructor(directory: string, limitBytes: number, events: SpoolEvents, logger: Logger) {
    this.#directory = directory;
    this.#limitBytes = limitBytes;
    this.#segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.floor(limitBytes / SEGMENTS));
    this.#events = events;
    this.#logger = logger;
    this.#work = this.#recover().finally(() => {
      this.#work = undefined;
      this.#kick();
    });
  }

  /** Bytes that the files take. */
  get bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0);
  }

  /** Takes a report over, or returns false when the disk is in trouble or too slow. */
  append(report: QueuedReport): boolean {
    if (this.#closing || this.#waitingBytes > WAITING_BYTES || performance.now() < this.#retryAt) return false;
    const record = encodeRecord(report);
    this.#waiting.push({ report, record });
    this.#waitingBytes += record.length;
    this.#kick();
    return true;
  }

  /** The oldest report that is in memory already; `readable` announces more. */
  take(): { readonly report: QueuedReport; readonly mark: SpoolMark } | undefined {
    const item = this.#ready.shift();
    if (item !== undefined) this.#readyBytes -= item.report.bytes.length;
    this.#kick();
    return item;
  }

  /** The report need not be kept any longer. */
  settle(mark: SpoolMark): void {
    mark.segment.settle(mark);
    this.#kick();
  }

  /** Writes what waits and closes the files; what is settled is deleted. Gives up after 2 s. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#kick();
    const { promise: deadline, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
    const finish = async () => {
      while (this.#work !== undefined) await this.#work;
      this.#closed = true;
      for (const segment of this.#segments) await (segment.done ? segment.remove() : segment.close());
    };
    await Promise.race([finish().catch((error: unknown) => this.#trouble(error)), deadline]);
    this.#closed = true;
    clearTimeout(timer);
    clearTimeout(this.#retryTimer);
  }

  async #recover(): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const names = (await readdir(this.#directory)).filter((name) => SEGMENT_NAME.test(name)).sort();
      for (const name of names) {
        this.#nextNumber = Number(name.slice(0, 10)) + 1;
        await this.#recoverSegment(join(this.#directory, name));
      }
    } catch (error) {
      this.#trouble(error);
    }
  }

  async #recoverSegment(path: string): Promise<void> {
    try {
      const segment = await SpoolSegment.recover(path);
      if (segment.damaged) this.#logger.warn("spool file ends in a torn record", { file: path });
      if (segment.left === 0) return await segment.remove();
      this.#segments.push(segment);
      this.#events.recovered(segment.left);
    } catch (error) {
      this.#logger.error("spool file cannot be read", { file: path, error: errorLine(error) });
    }
  }

  #kick(): void {
    if (this.#work !== undefined || this.#closed || !this.#hasWork()) return;
    this.#work = Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#work = undefined;
        this.#kick();
      });
  }

  #hasWork(): boolean {
    const retrying = performance.now() < this.#retryAt;
    return (this.#waiting.length > 0 || this.#wantsReading() || this.#settledSegment() !== undefined) && !retrying;
  }

  #wantsReading(): boolean {
    return !this.#closing && this.#readyBytes < READ_AHEAD_BYTES && this.#segments.some(({ left }) => left > 0);
  }

  #settledSegment(): SpoolSegment | undefined {
    return this.#segments.find((segment) => segment.progressed || (segment.done && !this.#isWritten(segment)));
  }

  #isWritten(segment: SpoolSegment): boolean {
    return this.#writing && segment === this.#segments.at(-1);
  }

  async #run(): Promise<void> {
    try {
      while (this.#hasWork()) {
        if (this.#waiting.length > 0) await this.#write();
        else if (this.#wantsReading()) await this.#read();
        await this.#tidy();
      }
    } catch (error) {
      this.#trouble(error);
    }
  }

  async #write(): Promise<void> {
    const batch = this.#nextBatch();
    const bytes = batch.reduce((sum, { record }) => sum + record.length, 0);
    try {
      const segment = await this.#segmentFor(bytes);
      await segment.append(batch.map(({ record }) => record));
    } catch (error) {
      this.#trouble(error);
      this.#events.failed([...batch, ...this.#allWaiting()].map(({ report }) => report));
      return;
    }
    if (!this.#healthy) this.#logger.info("spool works again", { directory: this.#directory });
    this.#healthy = true;
    this.#events.written(batch.length);
  }

  #nextBatch(): Waiting[] {
    const limit = Math.min(BATCH_BYTES, this.#segmentBytes);
    const batch: Waiting[] = [];
    let bytes = 0;
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (batch.length > 0 && bytes + next.record.length > limit) break;
      batch.push(next);
      bytes += next.record.length;
      this.#waiting.shift();
    }
    this.#waitingBytes -= bytes;
    return batch;
  }

  #allWaiting(): Waiting[] {
    const all: Waiting[] = [];
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) all.push(next);
    this.#waitingBytes = 0;
    return all;
  }

  /** The file to write to, with room made within the limit. */
  async #segmentFor(bytes: number): Promise<SpoolSegment> {
    const last = this.#segments.at(-1);
    const full = last !== undefined && last.size + bytes > this.#segmentBytes;
    if (full || !this.#writing) {
      this.#writing = false;
      if (bytes > this.#segmentBytes) throw new Error(`a report of ${bytes} bytes is too big for the spool`);
      await this.#makeRoom(bytes);
      this.#segments.push(await this.#createSegment());
      this.#writing = true;
    } else {
      await this.#makeRoom(bytes);
    }
    return this.#segments.at(-1) ?? Promise.reject(new Error("no spool file"));
  }

  async #createSegment(): Promise<SpoolSegment> {
    for (;;) {
      const name = `${String(this.#nextNumber++).padStart(10, "0")}.seg`;
      try {
        return await SpoolSegment.create(join(this.#directory, name));
      } catch (error) {
        // Another process of this identity was faster; its files are its own.
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    const keep = this.#writing ? 1 : 0;
    while (this.#segments.length > keep && this.bytes + bytes > this.#limitBytes) {
      const [oldest] = this.#segments.splice(0, 1);
      if (oldest === undefined) return;
      const { left } = oldest;
      await oldest.remove();
      if (left > 0) this.#events.dropped(left);
    }
  }

  async #read(): Promise<void> {
    const segment = this.#segments.find(({ left }) => left > 0);
    if (segment === undefined) return;
    while (this.#wantsReading() && segment.left > 0 && this.#waiting.length === 0) {
      const item = await segment.take().catch((error: unknown) => void this.#trouble(error));
      if (item === undefined) return await this.#giveUp(segment);
      this.#ready.push(item);
      this.#readyBytes += item.report.bytes.length;
      this.#events.readable();
    }
  }

  /** What is left of a file that can no longer be read is lost. */
  async #giveUp(segment: SpoolSegment): Promise<void> {
    if (this.#isWritten(segment)) this.#writing = false;
    this.#segments = this.#segments.filter((other) => other !== segment);
    this.#logger.error("spool file cannot be read", { directory: this.#directory, reports: segment.left });
    this.#events.dropped(segment.left);
    await segment.remove();
  }

  async #tidy(): Promise<void> {
    for (const segment of [...this.#segments]) {
      if (segment.done && !this.#isWritten(segment)) {
        this.#segments = this.#segments.filter((other) => other !== segment);
        await segment.remove();
      } else {
        await segment.saveProgress();
      }
    }
  }

  #trouble(error: unknown): void {
    this.#retryAt = performance.now() + RETRY_MS;
    clearTimeout(this.#retryTimer);
    if (!this.#closing) this.#retryTimer = setTimeout(() => this.#kick(), RETRY_MS + 1).unref();
    if (this.#healthy) this.#logger.error("spool fails", { directory: this.#directory, error: errorLine(error) });
    this.#healthy = false;
  }
}
