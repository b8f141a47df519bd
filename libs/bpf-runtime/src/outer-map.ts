import type { Codec } from "./codec.ts";
import { check } from "./errors.ts";
import { BpfMap } from "./map.ts";
import { isFound, KeyBuffer, MapHandle, type MapInfo } from "./map-handle.ts";
import { native } from "./native.ts";
import { MAP_TYPES, type ValueMapSpec } from "./object-spec.ts";

const FD_BYTES = 4;

/**
 * A map of maps. Programs count into the inner map of a slot; {@link swap} puts an empty one there and hands the old one
 * out, at rest: the kernel answers that update only after every running program has left the old map.
 */
export class OuterMap<K, IK, IV> {
  readonly #object: number;
  readonly #handle: MapHandle;
  readonly #key: KeyBuffer<K>;
  readonly #inner: ValueMapSpec;
  readonly #installed = new Map<string, BpfMap<IK, IV>>();
  readonly #value = new Uint8Array(FD_BYTES);

  /** Not for users: maps come from an object. */
  constructor(object: number, handle: MapHandle, key: Codec<K>, inner: ValueMapSpec) {
    this.#object = object;
    this.#handle = handle;
    this.#key = new KeyBuffer(key, handle.name);
    this.#inner = inner;
  }

  get name(): string {
    return this.#handle.name;
  }

  /** A new, empty map of the inner kind; the caller's until it is set. `maxEntries`: as compiled in unless given. */
  createInner(options: { readonly maxEntries?: number } = {}): BpfMap<IK, IV> {
    this.#handle.fd("map create");
    const { type, key, value, flags } = this.#inner;
    const maxEntries = options.maxEntries ?? this.#inner.maxEntries;
    const name = `${this.name} (inner)`;
    const label = this.name.slice(0, 15); // BPF_OBJ_NAME_LEN with its zero
    const sizes = [key.size, value.size, maxEntries] as const;
    const fd = native().objectCreateInner(this.#object, this.name, MAP_TYPES[type], label, ...sizes, flags);
    check(fd, "map create", name);
    return new BpfMap(new MapHandle(name, fd, true), key as Codec<IK>, value as Codec<IV>, maxEntries);
  }

  /** The inner map that this process put into the slot. */
  get(key: K): BpfMap<IK, IV> | undefined {
    this.#handle.fd("map get");
    return this.#installed.get(this.#slot(key));
  }

  /** Puts `inner` into the slot; what this process had put there is closed. */
  set(key: K, inner: BpfMap<IK, IV>): void {
    const before = this.swap(key, inner);
    if (before !== inner) before?.close();
  }

  /**
   * Puts `inner` into the slot and answers what this process had put there before: nobody writes to it any more. It is
   * the caller's: drain it, close it.
   */
  swap(key: K, inner: BpfMap<IK, IV>): BpfMap<IK, IV> | undefined {
    const fd = this.#handle.fd("map set");
    const innerFd = inner.fd("map set");
    const slot = this.#slot(key);
    new DataView(this.#value.buffer).setUint32(0, innerFd, true);
    check(native().mapUpdate(fd, this.#key.bytes, this.#value, 0), "map set", this.name);
    const before = this.#installed.get(slot);
    this.#installed.set(slot, inner);
    return before;
  }

  /** Empties the slot and answers what this process had put there, at rest. */
  take(key: K): BpfMap<IK, IV> | undefined {
    const fd = this.#handle.fd("map delete");
    const slot = this.#slot(key);
    isFound(native().mapDelete(fd, this.#key.bytes), "map delete", this.name);
    const before = this.#installed.get(slot);
    this.#installed.delete(slot);
    return before;
  }

  info(): MapInfo {
    return this.#handle.info();
  }

  /** Closes the inner maps that are installed. */
  close(): void {
    for (const inner of this.#installed.values()) inner.close();
    this.#installed.clear();
  }

  #slot(key: K): string {
    return Buffer.from(this.#key.encode(key)).toString("hex");
  }
}
