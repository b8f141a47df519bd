import { type Batch, type BatchSource, readBatches } from "./batch.ts";
import { type Codec, viewOf } from "./codec.ts";
import { check } from "./errors.ts";
import { isFound, KeyBuffer, type MapHandle, type MapInfo, UPDATE_FLAGS, type UpdateMode } from "./map-handle.ts";
import { native } from "./native.ts";

/** How elements are read together. */
export interface ReadOptions {
  /** Elements for one system call; 4096 unless given. */
  readonly batch?: number;
}

/** A map with one value for each key. */
export class BpfMap<K, V> {
  readonly #handle: MapHandle;
  readonly #keyCodec: Codec<K>;
  readonly #valueCodec: Codec<V>;
  readonly #maxEntries: number;
  readonly #key: KeyBuffer<K>;
  readonly #value: Uint8Array;
  readonly #valueView: DataView;

  /** Not for users: maps come from an object or from {@link OuterMap.createInner}. */
  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>, maxEntries: number) {
    this.#handle = handle;
    this.#keyCodec = key;
    this.#valueCodec = value;
    this.#maxEntries = maxEntries;
    this.#key = new KeyBuffer(key, handle.name);
    this.#value = new Uint8Array(value.size);
    this.#valueView = viewOf(this.#value);
  }

  get name(): string {
    return this.#handle.name;
  }

  get maxEntries(): number {
    return this.#maxEntries;
  }

  /** Descriptor for another map to hold this one. @throws BpfError BPF_CLOSED */
  fd(operation = "map fd"): number {
    return this.#handle.fd(operation);
  }

  /** The value of `key`, or undefined if there is none. */
  get(key: K): V | undefined {
    const fd = this.#handle.fd("map get");
    const status = native().mapLookup(fd, this.#key.encode(key), this.#value);
    return isFound(status, "map get", this.name) ? this.#valueCodec.decode(this.#valueView, 0) : undefined;
  }

  /**
   * Sets the value of `key`.
   * @throws BpfError BPF_KEY_EXISTS (mode `no-exist`), BPF_NO_KEY (mode `exist`), BPF_MAP_FULL
   */
  set(key: K, value: V, options: { readonly mode?: UpdateMode } = {}): void {
    const fd = this.#handle.fd("map set");
    this.#value.fill(0);
    this.#valueCodec.encode(this.#valueView, 0, value, this.name);
    const flags = UPDATE_FLAGS[options.mode ?? "any"];
    check(native().mapUpdate(fd, this.#key.encode(key), this.#value, flags), "map set", this.name);
  }

  /** Deletes `key`; false if it was not there. Elements of an array cannot be deleted. */
  delete(key: K): boolean {
    const fd = this.#handle.fd("map delete");
    return isFound(native().mapDelete(fd, this.#key.encode(key)), "map delete", this.name);
  }

  /** All keys, in no particular order. */
  *keys(options: ReadOptions = {}): Generator<K, void> {
    for (const [key] of this.#read(false, options)) yield key;
  }

  /** All elements, in no particular order. One that is added or deleted meanwhile may be seen or not. */
  entries(options: ReadOptions = {}): Generator<readonly [K, V], void> {
    return this.#read(false, options);
  }

  /**
   * Takes all elements out. Each is read and deleted in one step; but what a program still writes through a pointer it
   * looked up before is lost, so where counts must be exact drain a map that was swapped out ({@link OuterMap.swap}).
   */
  drain(options: ReadOptions = {}): Generator<readonly [K, V], void> {
    return this.#read(true, options);
  }

  [Symbol.iterator](): Generator<readonly [K, V], void> {
    return this.#read(false, {});
  }

  /**
   * All elements as they lie in kernel memory, many at once: for a million of them, where objects would cost too much.
   * The views are used again for the next batch.
   */
  *batches(options: ReadOptions = {}): Generator<Batch, void> {
    for (const batch of readBatches(this.#source("map read"), false, options.batch)) {
      yield batch;
      this.#handle.fd("map read");
    }
  }

  info(): MapInfo {
    return this.#handle.info();
  }

  /** Closes a map that was made by itself; one of an object lives as long as the object. Again: nothing. */
  close(): void {
    this.#handle.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  *#read(remove: boolean, options: ReadOptions): Generator<readonly [K, V], void> {
    const source = this.#source(remove ? "map drain" : "map read");
    for (const { keys, values, count } of readBatches(source, remove, options.batch)) {
      for (let index = 0; index < count; index++) {
        yield [
          this.#keyCodec.decode(keys, index * source.keyBytes),
          this.#valueCodec.decode(values, index * source.valueBytes),
        ];
      }
      this.#handle.fd("map read");
    }
  }

  #source(operation: string): BatchSource {
    return {
      fd: this.#handle.fd(operation),
      name: this.name,
      keyBytes: this.#keyCodec.size,
      valueBytes: this.#valueCodec.size,
      maxEntries: this.#maxEntries,
    };
  }
}
