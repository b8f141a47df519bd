import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { StoreError } from "./store.ts";

const LOCK_FILE = "collector.lock";

/** Holds a directory for one process; release it with `release()`. */
export interface DirectoryLock {
  /** Gives the directory back. Idempotent. */
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly startTicks: string;
}

/**
 * Takes the directory for this process, creating it when it is missing.
 * A lock that a dead process left behind is taken over: the holder is known by pid and start time.
 *
 * @throws StoreError when a live process holds it
 */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true, mode: 0o750 });
  const file = join(directory, LOCK_FILE);
  for (let attempt = 0; attempt < 3; attempt++) {
    const descriptor = createExclusively(file);
    if (descriptor !== undefined) return written(file, descriptor);
    const holder = readHolder(file);
    if (holder !== undefined && startTicks(holder.pid) === holder.startTicks) {
      throw new StoreError("open store", `${directory} is in use by the collector with process id ${holder.pid}`);
    }
    unlinkIfPresent(file);
  }
  throw new StoreError("open store", `${file} cannot be taken`);
}

function written(file: string, descriptor: number): DirectoryLock {
  const holder: Holder = { pid: process.pid, startTicks: startTicks(process.pid) ?? "" };
  ftruncateSync(descriptor);
  writeSync(descriptor, JSON.stringify(holder));
  closeSync(descriptor);
  let held = true;
  return {
    release() {
      if (held) unlinkIfPresent(file);
      held = false;
    },
  };
}

function createExclusively(file: string): number | undefined {
  try {
    return openSync(file, "wx", 0o640);
  } catch (error) {
    if (errno(error) === "EEXIST") return undefined;
    throw new StoreError("open store", `cannot write ${file} (${errno(error) ?? "unknown"})`, { cause: error });
  }
}

function readHolder(file: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value !== "object" || value === null || !("pid" in value) || !("startTicks" in value)) return undefined;
    return { pid: Number(value.pid), startTicks: String(value.startTicks) };
  } catch {
    // Unreadable or half written: nobody alive holds it.
    return undefined;
  }
}

/** When a process started, in clock ticks since boot (field 22 of /proc/PID/stat); undefined when there is none. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    // No such process.
    return undefined;
  }
}

function unlinkIfPresent(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (errno(error) !== "ENOENT") throw error;
  }
}

function errno(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : undefined;
}
