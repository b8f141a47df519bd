import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { StoreError } from "./store.ts";

const LOCK_FILE = "collector.lock";
// What flock(1) answers with when somebody else holds the lock.
const HELD = 1;

/** Holds a directory for one process; release it with `release()`. */
export interface DirectoryLock {
  /** Gives the directory back. Idempotent. */
  release(): void;
}

/**
 * Takes the directory for this process, creating it when it is missing.
 *
 * The lock is the kernel's, flock(2) on a file in it, so it ends with the process, however that ends, and holds across
 * containers that share the directory. The file stays: removing it would let two processes lock two files of one name.
 * It says who holds it. Without flock(1) nothing is locked here; the engine locks its directory itself as well.
 *
 * @throws StoreError when another process holds it
 */
export function lockDirectory(directory: string): DirectoryLock {
  const file = join(directory, LOCK_FILE);
  const descriptor = open(directory, file);
  if (!lock(descriptor)) {
    closeSync(descriptor);
    throw new StoreError("open store", `${directory} is in use by ${holder(file)}`);
  }
  ftruncateSync(descriptor);
  writeSync(descriptor, `${process.pid}\n`, 0);
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      ftruncateSync(descriptor);
      closeSync(descriptor);
    },
  };
}

function open(directory: string, file: string): number {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    // Reading and writing, and not emptied: it may be another's.
    return openSync(file, "a+", 0o640);
  } catch (error) {
    throw new StoreError("open store", `cannot write ${file} (${errno(error) ?? "unknown"})`, { cause: error });
  }
}

// The lock belongs to the open file, which the child shares: it outlives the child and ends with our descriptor.
function lock(descriptor: number): boolean {
  const { status } = spawnSync("flock", ["-x", "-n", "3"], { stdio: ["ignore", "ignore", "ignore", descriptor] });
  return status !== HELD;
}

function holder(file: string): string {
  const pid = /^\d+$/.exec(readFileSync(file, "utf8").trim())?.[0];
  return pid === undefined ? "another collector" : `the collector with process id ${pid}`;
}

function errno(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : undefined;
}
