import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { Codec } from "./codec.ts";
import { viewOf } from "./codec.ts";
import { check, closedError } from "./errors.ts";
import { native } from "./native.ts";

/** What a map is and what it costs. */
export interface MapInfo {
  /** Kernel-wide identifier. */
  readonly id: number;
  readonly maxEntries: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Kernel memory in octets, as `memlock` in fdinfo. */
  readonly memoryBytes: number;
}

/** When a map is updated: always, only if the key is absent, only if it is there. */
export type UpdateMode = "any" | "no-exist" | "exist";

/** Flags of BPF_MAP_UPDATE_ELEM. */
export const UPDATE_FLAGS: Readonly<Record<UpdateMode, number>> = { any: 0, "no-exist": 1, exist: 2 };

const { ENOENT } = constants.errno;

/** A map's descriptor, name and whether it may still be used; shared by all kinds of map. */
export class MapHandle {
  readonly name: string;
  readonly #fd: number;
  readonly #owned: boolean;
  readonly #isClosed: () => boolean;
  #closed = false;

  /**
   * @param owned the descriptor is closed with the handle, else it belongs to the object
   * @param isClosed whether that object is closed
   */
  constructor(name: string, fd: number, owned: boolean, isClosed: () => boolean = () => false) {
    this.name = name;
    this.#fd = fd;
    this.#owned = owned;
    this.#isClosed = isClosed;
  }

  get closed(): boolean {
    return this.#closed || this.#isClosed();
  }

  /** The descriptor. @throws BpfError BPF_CLOSED */
  fd(operation: string): number {
    if (this.closed) throw closedError(operation, this.name);
    return this.#fd;
  }

  info(): MapInfo {
    const fd = this.fd("map info");
    const info = native().mapInfo(fd);
    check(info.status, "map info", this.name);
    const memlock = /^memlock:\s*(\d+)/m.exec(readFileSync(`/proc/thread-self/fdinfo/${fd}`, "utf8"));
    return {
      id: info.id,
      maxEntries: info.maxEntries,
      keyBytes: info.keySize,
      valueBytes: info.valueSize,
      memoryBytes: Number(memlock?.[1] ?? 0),
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#owned) native().closeFd(this.#fd);
  }
}

/** Keys of one map: the codec and a buffer that is used again and again. */
export class KeyBuffer<K> {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #codec: Codec<K>;
  readonly #name: string;

  constructor(codec: Codec<K>, name: string) {
    this.bytes = new Uint8Array(codec.size);
    this.#view = viewOf(this.bytes);
    this.#codec = codec;
    this.#name = `${name} key`;
  }

  encode(key: K): Uint8Array {
    this.bytes.fill(0);
    this.#codec.encode(this.#view, 0, key, this.#name);
    return this.bytes;
  }
}

/** True if found, false if absent. @throws BpfError for any other failure */
export function isFound(status: number, operation: string, name: string): boolean {
  if (status === -ENOENT) return false;
  check(status, operation, name);
  return true;
}
