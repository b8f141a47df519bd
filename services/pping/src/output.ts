import { closeSync, constants, openSync, writeSync } from "node:fs";
import { CommandError, errorLine } from "@waymark/agent";
import type { FormatName } from "./event-format.ts";

/** Where records go. */
export interface Output {
  /** Records that could not be written. */
  readonly dropped: number;
  write(records: readonly string[]): void;
  /** Opens a file anew, after it was moved away. @throws CommandError when it cannot; then it stays as it was */
  reopen(): void;
  /** Ends the last record; nothing can be written any more. */
  close(): void;
}

/** A stream that takes text, and may be slow. */
export interface TextStream {
  write(text: string): unknown;
  readonly writableLength: number;
}

/** Text that waits for a slow reader; what comes beyond is dropped, not kept. */
const MAX_WAITING = 16 * 1024 * 1024;

/** Writes nowhere. */
export function silentOutput(): Output {
  return { dropped: 0, write() {}, reopen() {}, close() {} };
}

/** Writes to a stream. A reader that is too slow loses whole records, never parts. */
export function streamOutput(stream: TextStream, format: FormatName): Output {
  const isArray = format === "json";
  let first = true;
  let dropped = 0;
  let ended = false;
  if (isArray) stream.write("[");
  return {
    get dropped() {
      return dropped;
    },
    write(records) {
      if (records.length === 0 || ended) return;
      if (stream.writableLength > MAX_WAITING) {
        dropped += records.length;
        return;
      }
      stream.write(isArray ? `${first ? "" : ","}${records.join(",")}` : `${records.join("\n")}\n`);
      first = false;
    },
    reopen() {},
    close() {
      if (isArray && !ended) stream.write("]\n");
      ended = true;
    },
  };
}

const END_OF_ARRAY = "]\n";

/**
 * Writes to a file, at its end. A JSON array is complete after every write, so that the file can be read at any time and
 * however the process ends; it needs a file of its own.
 *
 * @throws CommandError when the file cannot be opened
 */
export function fileOutput(path: string, format: FormatName, onError: (line: string) => void): Output {
  return format === "json" ? new ArrayFile(path, onError) : new LineFile(path, onError);
}

/** What both kinds of file do alike. */
abstract class FileOutput implements Output {
  readonly path: string;
  protected fd: number;
  dropped = 0;
  readonly #onError: (line: string) => void;
  #failing = false;

  constructor(path: string, onError: (line: string) => void) {
    this.path = path;
    this.#onError = onError;
    this.fd = this.open();
  }

  /** @throws CommandError */
  protected abstract open(): number;
  protected abstract append(records: readonly string[]): void;

  write(records: readonly string[]): void {
    if (records.length === 0) return;
    try {
      this.append(records);
      this.#failing = false;
    } catch (error) {
      this.dropped += records.length;
      if (!this.#failing) this.#onError(`${this.path}: ${errorLine(error)}`);
      this.#failing = true;
    }
  }

  reopen(): void {
    const before = this.fd;
    this.fd = this.open();
    closeSync(before);
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

class LineFile extends FileOutput {
  protected override open(): number {
    const { O_WRONLY, O_CREAT, O_APPEND } = constants;
    return openFile(this.path, O_WRONLY | O_CREAT | O_APPEND);
  }

  protected override append(records: readonly string[]): void {
    writeSync(this.fd, `${records.join("\n")}\n`);
  }
}

class ArrayFile extends FileOutput {
  #end = 0;
  #first = true;

  protected override open(): number {
    const { O_WRONLY, O_CREAT, O_EXCL } = constants;
    const fd = openFile(this.path, O_WRONLY | O_CREAT | O_EXCL);
    this.#end = writeSync(fd, "[") as number;
    writeSync(fd, END_OF_ARRAY, this.#end);
    this.#first = true;
    return fd;
  }

  protected override append(records: readonly string[]): void {
    const octets = Buffer.from(`${this.#first ? "" : ","}${records.join(",")}${END_OF_ARRAY}`);
    // One call over the end of the array: whoever reads sees it before or after.
    const written = writeSync(this.fd, octets, 0, octets.length, this.#end);
    if (written < octets.length) {
      writeSync(this.fd, END_OF_ARRAY, this.#end);
      throw new Error("no room left");
    }
    this.#end += octets.length - END_OF_ARRAY.length;
    this.#first = false;
  }
}

function openFile(path: string, flags: number): number {
  try {
    return openSync(path, flags, 0o644);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "EEXIST"
        ? "is there already, and a JSON array cannot be appended to; name another file, or use -F jsonl"
        : errorLine(error);
    throw new CommandError(`--write ${path}: ${why}`, { cause: error });
  }
}
