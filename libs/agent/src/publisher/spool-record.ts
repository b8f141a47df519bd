import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { QueuedReport } from "./queued-report.ts";

/** Length and CRC, both 32 bits, little-endian. */
const HEADER_BYTES = 8;
/** No record is longer; a length beyond it is damage. */
const MAX_RECORD_BYTES = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** One record: length, CRC-32 of the body, body = "agent/service/boot/kind/sequence\n" and the report's bytes. */
export function encodeRecord(report: QueuedReport): Buffer {
  const { agentId, service, bootId, kind, sequence, bytes } = report;
  const head = Buffer.from(`${agentId}/${service}/${bootId}/${kind}/${sequence}\n`);
  const record = Buffer.allocUnsafe(HEADER_BYTES + head.length + bytes.length);
  head.copy(record, HEADER_BYTES);
  record.set(bytes, HEADER_BYTES + head.length);
  const body = record.subarray(HEADER_BYTES);
  record.writeUInt32LE(body.length, 0);
  record.writeUInt32LE(crc32(body), 4);
  return record;
}

function decodeBody(body: Buffer): QueuedReport | undefined {
  const line = body.indexOf(10);
  if (line < 0) return undefined;
  const [agentId, service, bootId, kind, sequence, ...rest] = body.toString("latin1", 0, line).split("/");
  if (!agentId || !service || !bootId || !kind || !sequence || !/^\d+$/.test(sequence) || rest.length > 0) {
    return undefined;
  }
  // A copy of its own: a view would keep the whole chunk in memory.
  const bytes = new Uint8Array(body.subarray(line + 1));
  return { agentId, service, bootId, kind, sequence: BigInt(sequence), bytes };
}

/** A record read back. */
export interface SpoolRecord {
  readonly report: QueuedReport;
  /** Where the next record begins. */
  readonly end: number;
}

/** Reads records one after the other. Stops for good at the first damaged or torn one. */
export class RecordReader {
  readonly #file: FileHandle;
  #offset: number;
  #chunk: Buffer = Buffer.alloc(0);
  #position = 0;
  #damaged = false;

  constructor(file: FileHandle, offset: number) {
    this.#file = file;
    this.#offset = offset;
  }

  /** Where the next record begins. */
  get offset(): number {
    return this.#offset;
  }

  /** A record that is not whole or not right was met. */
  get damaged(): boolean {
    return this.#damaged;
  }

  /** The next record that ends at or before `limit`, or undefined. */
  async next(limit: number): Promise<SpoolRecord | undefined> {
    if (this.#damaged || this.#offset >= limit) return undefined;
    const header = await this.#peek(HEADER_BYTES, limit);
    const length = header?.readUInt32LE(0) ?? 0;
    const body = length === 0 || length > MAX_RECORD_BYTES ? undefined : await this.#peek(HEADER_BYTES + length, limit);
    const content = body?.subarray(HEADER_BYTES);
    const report = content && body?.readUInt32LE(4) === crc32(content) ? decodeBody(content) : undefined;
    if (report === undefined) {
      this.#damaged = true;
      return undefined;
    }
    this.#position += HEADER_BYTES + length;
    this.#offset += HEADER_BYTES + length;
    return { report, end: this.#offset };
  }

  /** The next `count` bytes without moving on; undefined when there are fewer before `limit`. */
  async #peek(count: number, limit: number): Promise<Buffer | undefined> {
    if (this.#offset + count > limit) return undefined;
    if (this.#chunk.length - this.#position < count) {
      const size = Math.min(Math.max(CHUNK_BYTES, count), limit - this.#offset);
      const chunk = Buffer.allocUnsafe(size);
      const { bytesRead } = await this.#file.read(chunk, 0, size, this.#offset);
      this.#chunk = chunk.subarray(0, bytesRead);
      this.#position = 0;
    }
    if (this.#chunk.length - this.#position < count) return undefined;
    return this.#chunk.subarray(this.#position, this.#position + count);
  }
}
