import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { CommandError, errorLine } from "@waymark/agent";
import type { FormatName } from "./event-format.ts";

/** Where records go. */
export interface Output {
  /** Records that could not be written. */
  readonly dropped: number;
  write(records: readonly string[]): void;
  /**
   * Opens a file anew, after it was moved away; false where there is none.
   * @throws CommandError when it cannot; then it stays as it was
   */
  reopen(): boolean;
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
  return { dropped: 0, write() {}, reopen: () => false, close() {} };
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
    reopen: () => false,
    close() {
      if (isArray && !ended) stream.write("]\n");
      ended = true;
    },
  };
}

const END_OF_ARRAY = "]\n";
const NO_ROOM = "no room left";

/**
 * Writes to a file, at its end. A JSON array is complete after every write, so that the file can be read at any time and
 * however the process ends; it needs a file of its own.
 *
 * @throws CommandError when the file cannot be opened
 */
export function fileOutput(path: string, format: FormatName, onError: (line: string) => void): Output {
  return new FileOutput(path, format === "json" ? openArray : openLines, onError);
}

/** A file that takes records. */
interface RecordFile {
  readonly fd: number;
  append(records: readonly string[]): void;
}

class FileOutput implements Output {
  dropped = 0;
  readonly #path: string;
  readonly #open: (path: string) => RecordFile;
  readonly #onError: (line: string) => void;
  #file: RecordFile | undefined;
  #failing = false;

  constructor(path: string, open: (path: string) => RecordFile, onError: (line: string) => void) {
    this.#path = path;
    this.#open = open;
    this.#onError = onError;
    this.#file = open(path);
  }

  write(records: readonly string[]): void {
    if (records.length === 0) return;
    try {
      this.#file?.append(records);
      this.#failing = false;
    } catch (error) {
      this.dropped += records.length;
      if (!this.#failing) this.#onError(`${this.#path}: ${errorLine(error)}`);
      this.#failing = true;
    }
  }

  reopen(): boolean {
    const before = this.#file;
    this.#file = this.#open(this.#path);
    if (before !== undefined) closeSync(before.fd);
    return true;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }
}

const { O_WRONLY, O_CREAT, O_APPEND, O_EXCL } = constants;

function openLines(path: string): RecordFile {
  const fd = openFile(path, O_WRONLY | O_CREAT | O_APPEND);
  return {
    fd,
    append(records) {
      const octets = Buffer.from(`${records.join("\n")}\n`);
      const written = writeSync(fd, octets);
      if (written === octets.length) return;
      const file = fstatSync(fd);
      if (file.isFile()) ftruncateSync(fd, file.size - written);
      throw new Error(NO_ROOM);
    },
  };
}

function openArray(path: string): RecordFile {
  const fd = openFile(path, O_WRONLY | O_CREAT | O_EXCL);
  writeSync(fd, `[${END_OF_ARRAY}`);
  let [end, first] = ["[".length, true];
  return {
    fd,
    append(records) {
      const octets = Buffer.from(`${first ? "" : ","}${records.join(",")}${END_OF_ARRAY}`);
      // One call over the end of the array: whoever reads sees it before or after.
      const written = writeSync(fd, octets, 0, octets.length, end);
      if (written < octets.length) {
        writeSync(fd, END_OF_ARRAY, end);
        ftruncateSync(fd, end + END_OF_ARRAY.length);
        throw new Error(NO_ROOM);
      }
      end += octets.length - END_OF_ARRAY.length;
      first = false;
    },
  };
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
