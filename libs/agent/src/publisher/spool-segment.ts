import { type FileHandle, open, unlink } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { Fifo } from "./fifo.ts";
import type { QueuedReport } from "./queued-report.ts";
import { RecordReader } from "./spool-record.ts";

/** Magic, offset up to which all is settled (64 bits), CRC-32 of both. */
const HEADER_BYTES = 16;
const MAGIC = 0x31534d57;

/** A record that was taken from a segment and is not yet settled. */
export interface SpoolMark {
  readonly segment: SpoolSegment;
  readonly end: number;
  settled: boolean;
}

/** One append-only file of records, with the offset before which every record is settled in its first bytes. */
export class SpoolSegment {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #taken = new Fifo<SpoolMark>();
  #reader: RecordReader;
  #size: number;
  #left: number;
  #doneOffset: number;
  #writtenDoneOffset: number;
  #damaged = false;

  private constructor(path: string, file: FileHandle, size: number, doneOffset: number) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.#left = 0;
    this.#doneOffset = doneOffset;
    this.#writtenDoneOffset = doneOffset;
    this.#reader = new RecordReader(file, doneOffset);
  }

  /** A new file. @throws the error of the system call; EEXIST if there is one */
  static async create(path: string): Promise<SpoolSegment> {
    const file = await open(path, "wx+", 0o600);
    try {
      await writeAll(file, header(HEADER_BYTES), 0);
    } catch (error) {
      await file.close();
      await unlink(path);
      throw error;
    }
    return new SpoolSegment(path, file, HEADER_BYTES, HEADER_BYTES);
  }

  /** An earlier process's file: counts what is unsettled, up to the first torn or damaged record. */
  static async recover(path: string): Promise<SpoolSegment> {
    const file = await open(path, "r+");
    try {
      const { size } = await file.stat();
      const doneOffset = await readHeader(file);
      const segment = new SpoolSegment(path, file, size, doneOffset);
      const scan = new RecordReader(file, doneOffset);
      while ((await scan.next(size)) !== undefined) segment.#left++;
      segment.#damaged = scan.damaged;
      segment.#size = Math.max(scan.offset, HEADER_BYTES);
      return segment;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes of whole records and header. */
  get size(): number {
    return this.#size;
  }

  /** Records that nobody has taken yet. */
  get left(): number {
    return this.#left;
  }

  /** The file ended in a torn or damaged record when it was recovered. */
  get damaged(): boolean {
    return this.#damaged;
  }

  /** Every record is settled. */
  get done(): boolean {
    return this.#left === 0 && this.#taken.length === 0;
  }

  /** Appends whole records. On an error the file is as before. @throws the error of the system call */
  async append(records: readonly Buffer[]): Promise<void> {
    const bytes = records.length === 1 && records[0] ? records[0] : Buffer.concat(records);
    try {
      await writeAll(this.#file, bytes, this.#size);
    } catch (error) {
      await this.#file.truncate(this.#size).catch(() => {
        // Nothing better to do: the CRC tells the torn record from a whole one.
      });
      throw error;
    }
    this.#size += bytes.length;
    this.#left += records.length;
  }

  /** The next record, or undefined when there is none (left). @throws the error of the system call */
  async take(): Promise<{ readonly report: QueuedReport; readonly mark: SpoolMark } | undefined> {
    if (this.#left === 0) return undefined;
    const record = await this.#reader.next(this.#size);
    if (record === undefined) return undefined;
    this.#left--;
    const mark: SpoolMark = { segment: this, end: record.end, settled: false };
    this.#taken.push(mark);
    return { report: record.report, mark };
  }

  /** This record need not be kept any longer. */
  settle(mark: SpoolMark): void {
    mark.settled = true;
    for (let first = this.#taken.peek(); first?.settled; first = this.#taken.peek()) {
      this.#doneOffset = first.end;
      this.#taken.shift();
    }
  }

  /** Writes down how far all is settled, if that has moved. */
  async saveProgress(): Promise<void> {
    const offset = this.#doneOffset;
    if (offset === this.#writtenDoneOffset) return;
    this.#writtenDoneOffset = offset;
    await writeAll(this.#file, header(offset), 0);
  }

  /** Whether `saveProgress` has something to write. */
  get progressed(): boolean {
    return this.#doneOffset !== this.#writtenDoneOffset;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Closes and deletes the file. */
  async remove(): Promise<void> {
    await this.#file.close();
    await unlink(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

function header(doneOffset: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeBigUInt64LE(BigInt(doneOffset), 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  return bytes;
}

/** The offset in a file's header; the first record's when the header is damaged: rather twice than never. */
async function readHeader(file: FileHandle): Promise<number> {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const { bytesRead } = await file.read(bytes, 0, HEADER_BYTES, 0);
  const whole = bytesRead === HEADER_BYTES && bytes.readUInt32LE(0) === MAGIC;
  if (!whole || bytes.readUInt32LE(12) !== crc32(bytes.subarray(0, 12))) return HEADER_BYTES;
  return Number(bytes.readBigUInt64LE(4));
}
