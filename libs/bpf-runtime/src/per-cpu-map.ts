import { readBatches } from "./batch.ts";
import { type Codec, viewOf } from "./codec.ts";
import { check } from "./errors.ts";
import type { ReadOptions } from "./map.ts";
import { isFound, KeyBuffer, type MapHandle, type MapInfo, UPDATE_FLAGS, type UpdateMode } from "./map-handle.ts";
import { native } from "./native.ts";
import { addValues } from "./sum.ts";

const ALIGNMENT = 8; // the kernel rounds each CPU's value up to this

/** A map with a value for each possible CPU under each key. */
export class PerCpuMap<K, V> {
  readonly #handle: MapHandle;
  readonly #keyCodec: Codec<K>;
  readonly #valueCodec: Codec<V>;
  readonly #maxEntries: number;
  readonly #key: KeyBuffer<K>;
  readonly #stride: number;
  readonly #cpus: number;
  readonly #values: Uint8Array;

  /** Not for users: maps come from an object. */
  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>, maxEntries: number) {
    this.#handle = handle;
    this.#keyCodec = key;
    this.#valueCodec = value;
    this.#maxEntries = maxEntries;
    this.#key = new KeyBuffer(key, handle.name);
    this.#stride = Math.ceil(value.size / ALIGNMENT) * ALIGNMENT;
    this.#cpus = check(native().possibleCpus(), "count CPUs for", handle.name);
    this.#values = new Uint8Array(this.#stride * this.#cpus);
  }

  get name(): string {
    return this.#handle.name;
  }

  get maxEntries(): number {
    return this.#maxEntries;
  }

  /** Possible CPUs: how many values a key has. */
  get cpus(): number {
    return this.#cpus;
  }

  /** The values of `key` by CPU, or undefined if there is no such key. */
  perCpu(key: K): readonly V[] | undefined {
    const fd = this.#handle.fd("map get");
    const status = native().mapLookup(fd, this.#key.encode(key), this.#values);
    return isFound(status, "map get", this.name) ? this.#decode(viewOf(this.#values), 0) : undefined;
  }

  /** The sum over all CPUs: every number in the value added up, or undefined if there is no such key. */
  sum(key: K): V | undefined {
    const values = this.perCpu(key);
    return values?.reduce((total, value) => addValues(total, value));
  }

  /** Sums of all keys. */
  *sums(options: ReadOptions = {}): Generator<readonly [K, V], void> {
    for (const [key, values] of this.#read(false, options)) yield [key, values.reduce((a, b) => addValues(a, b))];
  }

  /** Takes all elements out and sums each (see {@link BpfMap.drain}); not for arrays. */
  *drain(options: ReadOptions = {}): Generator<readonly [K, V], void> {
    for (const [key, values] of this.#read(true, options)) yield [key, values.reduce((a, b) => addValues(a, b))];
  }

  /** All elements with their values by CPU. */
  entries(options: ReadOptions = {}): Generator<readonly [K, readonly V[]], void> {
    return this.#read(false, options);
  }

  /** Sets the values of `key`, one for each possible CPU. A program that is counting meanwhile may undo it. */
  set(key: K, values: readonly V[], options: { readonly mode?: UpdateMode } = {}): void {
    const fd = this.#handle.fd("map set");
    if (values.length !== this.#cpus) {
      throw new RangeError(`${this.name}: ${values.length} values for ${this.#cpus} CPUs`);
    }
    this.#values.fill(0);
    const view = viewOf(this.#values);
    for (const [cpu, value] of values.entries()) {
      this.#valueCodec.encode(view, cpu * this.#stride, value, this.name);
    }
    const flags = UPDATE_FLAGS[options.mode ?? "any"];
    check(native().mapUpdate(fd, this.#key.encode(key), this.#values, flags), "map set", this.name);
  }

  /** Sets the same value for every CPU, for example to clear a counter. */
  fill(key: K, value: V, options: { readonly mode?: UpdateMode } = {}): void {
    this.set(key, new Array<V>(this.#cpus).fill(value), options);
  }

  /** Deletes `key`; false if it was not there. */
  delete(key: K): boolean {
    const fd = this.#handle.fd("map delete");
    return isFound(native().mapDelete(fd, this.#key.encode(key)), "map delete", this.name);
  }

  info(): MapInfo {
    return this.#handle.info();
  }

  #decode(view: DataView, at: number): readonly V[] {
    return Array.from({ length: this.#cpus }, (_, cpu) => this.#valueCodec.decode(view, at + cpu * this.#stride));
  }

  *#read(remove: boolean, options: ReadOptions): Generator<readonly [K, readonly V[]], void> {
    const source = {
      fd: this.#handle.fd(remove ? "map drain" : "map read"),
      name: this.name,
      keyBytes: this.#keyCodec.size,
      valueBytes: this.#values.length,
      maxEntries: this.#maxEntries,
    };
    for (const { keys, values, count } of readBatches(source, remove, options.batch)) {
      for (let index = 0; index < count; index++) {
        yield [this.#keyCodec.decode(keys, index * source.keyBytes), this.#decode(values, index * source.valueBytes)];
      }
      this.#handle.fd("map read");
    }
  }
}
