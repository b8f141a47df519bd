import { constants } from "node:os";
import { viewOf } from "./codec.ts";
import { check, ENOTSUPP } from "./errors.ts";
import { native } from "./native.ts";

/** Elements of a map that were read together; the buffers are used again for the next. */
export interface Batch {
  readonly keys: DataView;
  readonly values: DataView;
  readonly count: number;
}

/** What a batch is read from. */
export interface BatchSource {
  readonly fd: number;
  readonly name: string;
  readonly keyBytes: number;
  /** Octets from one value to the next; for per-CPU maps of all CPUs together. */
  readonly valueBytes: number;
  readonly maxEntries: number;
}

/** Elements asked for at once unless said otherwise. */
export const DEFAULT_BATCH = 4096;

/** Octets of the kernel's cursor: a bucket number, or a key where a map has no buckets. */
const CURSOR_BYTES = 64;

const { ENOENT, ENOSPC, EINVAL, EOPNOTSUPP } = constants.errno;
const NO_BATCHES: ReadonlySet<number> = new Set([EINVAL, EOPNOTSUPP, ENOTSUPP]);

class Buffers {
  readonly capacity: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;

  constructor(source: BatchSource, capacity: number) {
    this.capacity = capacity;
    this.keys = new Uint8Array(source.keyBytes * capacity);
    this.values = new Uint8Array(source.valueBytes * capacity);
  }

  batch(count: number): Batch {
    return { keys: viewOf(this.keys), values: viewOf(this.values), count };
  }
}

/**
 * All elements, batch by batch; with `remove` each is deleted as it is read, so that no later update of it is lost.
 * Kernels and map types without batch operations are read element by element.
 */
export function* readBatches(source: BatchSource, remove: boolean, batch = DEFAULT_BATCH): Generator<Batch, void> {
  let buffers = new Buffers(source, Math.max(1, Math.min(batch, source.maxEntries)));
  const count = new Uint32Array(1);
  const countBytes = new Uint8Array(count.buffer);
  let cursor = new Uint8Array(Math.max(CURSOR_BYTES, source.keyBytes));
  let next = new Uint8Array(cursor.length);
  const call = remove ? native().mapDrainBatch : native().mapLookupBatch;
  for (let first = true; ; ) {
    count[0] = buffers.capacity;
    const status = call(source.fd, first ? null : cursor, next, buffers.keys, buffers.values, countBytes);
    if (status === -ENOSPC && buffers.capacity < source.maxEntries) {
      // One bucket holds more than a batch.
      buffers = new Buffers(source, Math.min(buffers.capacity * 2, source.maxEntries));
      continue;
    }
    if (first && NO_BATCHES.has(-status)) {
      yield* readSingly(source, remove);
      return;
    }
    if (status !== -ENOENT) check(status, remove ? "map drain" : "map read", source.name);
    if ((count[0] ?? 0) > 0) yield buffers.batch(count[0] ?? 0);
    if (status === -ENOENT) return;
    [cursor, next] = [next, cursor];
    first = false;
  }
}

function take(source: BatchSource, key: Uint8Array, value: Uint8Array): number {
  const status = native().mapLookupAndDelete(source.fd, key, value);
  if (!NO_BATCHES.has(-status)) return status;
  const found = native().mapLookup(source.fd, key, value);
  return found < 0 ? found : native().mapDelete(source.fd, key);
}

/** Element by element. A drain ends after as many as the map holds, however fast others add. */
export function* readSingly(source: BatchSource, remove: boolean): Generator<Batch, void> {
  const buffers = new Buffers(source, 1);
  let key = new Uint8Array(source.keyBytes);
  let following = new Uint8Array(source.keyBytes);
  let status = native().mapNextKey(source.fd, null, key);
  for (let seen = 0; status >= 0 && seen < source.maxEntries; seen++) {
    // Before the deletion: the key after a deleted one is the first of all.
    status = native().mapNextKey(source.fd, key, following);
    const found = remove ? take(source, key, buffers.values) : native().mapLookup(source.fd, key, buffers.values);
    if (found !== -ENOENT) {
      check(found, remove ? "map drain" : "map read", source.name);
      buffers.keys.set(key);
      yield buffers.batch(1);
    }
    [key, following] = [following, key];
  }
  if (status < 0 && status !== -ENOENT) check(status, "map read", source.name);
}
