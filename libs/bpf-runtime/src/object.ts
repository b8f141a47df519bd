import { existsSync } from "node:fs";
import type { Codec } from "./codec.ts";
import { BpfError, check, closedError } from "./errors.ts";
import type { BpfLink } from "./link.ts";
import { loadError } from "./load-error.ts";
import { BpfMap } from "./map.ts";
import { MapHandle } from "./map-handle.ts";
import { native } from "./native.ts";
import type {
  KeyOf,
  MapNames,
  MapSpec,
  MapType,
  ObjectSpec,
  OuterMapSpec,
  OuterMapType,
  PerCpuMapType,
  RecordOf,
  RingSpec,
  ValueMapSpec,
  ValueOf,
} from "./object-spec.ts";
import { OuterMap } from "./outer-map.ts";
import { PerCpuMap } from "./per-cpu-map.ts";
import { BpfProgram } from "./program.ts";
import { BpfRingBuffer, type RingBufferOptions } from "./ring-buffer.ts";
import { Variables } from "./variables.ts";

/** The class that stands for a map of the kind `M`. */
export type MapFor<M extends MapSpec> = M extends { readonly type: OuterMapType; readonly inner: infer I }
  ? OuterMap<KeyOf<M>, KeyOf<I>, ValueOf<I>>
  : M extends { readonly type: PerCpuMapType }
    ? PerCpuMap<KeyOf<M>, ValueOf<M>>
    : BpfMap<KeyOf<M>, ValueOf<M>>;

type ValueMapNames<S extends ObjectSpec> = MapNames<S, Exclude<MapType, "ringbuf">>;
type ProgramNames<S extends ObjectSpec> = keyof S["programs"] & string;

const PER_CPU: ReadonlySet<MapType> = new Set(["percpu_hash", "percpu_array", "lru_percpu_hash"]);

/** A map before load. */
export interface OpenMap {
  /** How many elements (of a ring buffer: octets, a power of two times the page size). */
  setMaxEntries(entries: number): void;
}

/** A program before load. */
export interface OpenProgram {
  /** Whether it is loaded at all. Default true. */
  setAutoload(load: boolean): void;
}

/** An object that was read but is not in the kernel yet: the time to set constants and sizes. */
export class OpenBpfObject<S extends ObjectSpec> {
  readonly spec: S;
  /** Constants; programs see what is set before load. */
  readonly rodata: Variables<S["rodata"]>;
  /** First values of variables. */
  readonly data: Variables<S["data"]>;
  readonly #id: number;
  readonly #maxEntries = new Map<string, number>();
  #closed = false;

  /** Not for users: see {@link BpfObject.open}. */
  constructor(spec: S, id: number) {
    this.spec = spec;
    this.#id = id;
    const isClosed = (): boolean => this.#closed;
    this.rodata = new Variables<S["rodata"]>(id, spec.rodata, spec.name, isClosed);
    this.data = new Variables<S["data"]>(id, spec.data, spec.name, isClosed);
  }

  map(name: keyof S["maps"] & string): OpenMap {
    return {
      setMaxEntries: (entries) => {
        this.#open("set size of");
        if (!Number.isInteger(entries) || entries < 1 || entries > 0xffff_ffff) {
          throw new RangeError(`map ${name}: ${entries} is no size`);
        }
        check(native().objectSetMaxEntries(this.#id, name, entries), "set size of", `map ${name}`);
        this.#maxEntries.set(name, entries);
      },
    };
  }

  program(name: ProgramNames<S>): OpenProgram {
    return {
      setAutoload: (load) => {
        this.#open("choose programs of");
        check(native().objectSetAutoload(this.#id, name, load), "choose program", name);
      },
    };
  }

  /**
   * Puts maps and programs into the kernel. This open object is used up, whether it succeeds or not.
   * @throws VerifierError, BpfError BPF_NOT_PERMITTED, BPF_NOT_SUPPORTED, BPF_BAD_OBJECT
   */
  load(): BpfObject<S> {
    this.#open("load");
    this.#closed = true;
    const { status, log } = native().objectLoad(this.#id);
    try {
      if (status < 0) throw loadError(status, this.spec.name, log);
      checkLayout(this.spec, this.#id);
    } catch (error) {
      native().objectClose(this.#id);
      throw error;
    }
    return new BpfObject(this.spec, this.#id, this.#maxEntries);
  }

  /** Lets go of it, if it was not loaded. Again: nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    native().objectClose(this.#id);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(operation: string): void {
    if (this.#closed) throw closedError(operation, this.spec.name);
  }
}

/** An object in the kernel. Closing it closes everything that came from it. */
export class BpfObject<S extends ObjectSpec> {
  readonly spec: S;
  /** Global variables, shared with the running programs. */
  readonly data: Variables<S["data"]>;
  /** Constants, as they were at load. */
  readonly rodata: Pick<Variables<S["rodata"]>, "get">;
  readonly #id: number;
  readonly #maxEntries: ReadonlyMap<string, number>;
  readonly #maps = new Map<string, unknown>();
  readonly #outer = new Set<{ close(): void }>();
  readonly #rings = new Set<{ close(): void }>();
  readonly #links = new Set<BpfLink>();
  #closed = false;

  /** Not for users: see {@link OpenBpfObject.load}. */
  constructor(spec: S, id: number, maxEntries: ReadonlyMap<string, number>) {
    this.spec = spec;
    this.#id = id;
    this.#maxEntries = maxEntries;
    const isClosed = (): boolean => this.#closed;
    this.data = new Variables<S["data"]>(id, spec.data, spec.name, isClosed);
    this.rodata = new Variables<S["rodata"]>(id, spec.rodata, spec.name, isClosed);
  }

  /**
   * Reads a compiled object. Needs no privilege.
   * @throws BpfError BPF_NOT_BUILT, BPF_BAD_OBJECT
   */
  static open<S extends ObjectSpec>(spec: S): OpenBpfObject<S> {
    const operation = "open";
    if (!existsSync(spec.objectPath)) {
      const message = `open ${spec.objectPath}: not built; run npm run build -w libs/bpf-runtime`;
      throw new BpfError("BPF_NOT_BUILT", message, { operation });
    }
    const { status, log } = native().objectOpen(spec.objectPath);
    if (status < 0) {
      const message = `open ${spec.objectPath}: not a BPF object: ${log.trim().split("\n").at(-1) ?? ""}`;
      throw new BpfError("BPF_BAD_OBJECT", message, { operation, errno: -status });
    }
    return new OpenBpfObject(spec, status);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws BpfError BPF_BAD_OBJECT if the program was not loaded */
  program(name: ProgramNames<S>): BpfProgram {
    this.#open("program");
    const fd = native().objectProgramFd(this.#id, name);
    if (fd < 0) {
      const message = `program ${name}: not loaded (setAutoload(false)?)`;
      throw new BpfError("BPF_BAD_OBJECT", message, { operation: "program", errno: -fd });
    }
    return new BpfProgram(name, fd, {
      isClosed: () => this.#closed,
      own: (link) => void this.#links.add(link),
      disown: (link) => void this.#links.delete(link),
    });
  }

  map<N extends ValueMapNames<S>>(name: N): MapFor<S["maps"][N]> {
    this.#open("map");
    const known = this.#maps.get(name);
    if (known !== undefined) return known as MapFor<S["maps"][N]>;
    const made = this.#makeMap(name);
    this.#maps.set(name, made);
    return made as MapFor<S["maps"][N]>;
  }

  /** The records of a ring buffer, for one consumer. */
  ringBuffer<N extends MapNames<S, "ringbuf">>(
    name: N,
    options: RingBufferOptions = {},
  ): BpfRingBuffer<RecordOf<S["maps"][N]>> {
    this.#open("ring buffer");
    const spec = this.spec.maps[name] as RingSpec;
    const fd = check(native().objectMapFd(this.#id, name), "ring buffer", name);
    const codec = spec.record as Codec<RecordOf<S["maps"][N]>>;
    const ring = new BpfRingBuffer(name, fd, codec, options, (closed) => this.#rings.delete(closed));
    if (!ring.closed) this.#rings.add(ring);
    return ring;
  }

  /** Detaches and closes everything that came from this object. Again: nothing. */
  close(): void {
    if (this.#closed) return;
    for (const owned of [...this.#links, ...this.#rings, ...this.#outer]) owned.close();
    this.#closed = true;
    native().objectClose(this.#id);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #makeMap(name: string): unknown {
    const spec = this.spec.maps[name];
    if (!spec || spec.type === "ringbuf") throw new TypeError(`${this.spec.name} has no map ${name} of values`);
    const fd = check(native().objectMapFd(this.#id, name), "map", name);
    const handle = new MapHandle(name, fd, false, () => this.#closed);
    if (isOuter(spec)) {
      const outer = new OuterMap(this.#id, handle, spec.key, spec.inner);
      this.#outer.add(outer);
      return outer;
    }
    const maxEntries = this.#maxEntries.get(name) ?? spec.maxEntries;
    return PER_CPU.has(spec.type)
      ? new PerCpuMap(handle, spec.key, spec.value, maxEntries)
      : new BpfMap(handle, spec.key, spec.value, maxEntries);
  }

  #open(operation: string): void {
    if (this.#closed) throw closedError(operation, this.spec.name);
  }
}

function isOuter(spec: ValueMapSpec | OuterMapSpec): spec is OuterMapSpec {
  return spec.type === "array_of_maps" || spec.type === "hash_of_maps";
}

/** Refuses an object that is not the one the spec was generated from: a codec would read what is not there. */
function checkLayout(spec: ObjectSpec, object: number): void {
  for (const [name, map] of Object.entries(spec.maps)) {
    const fd = native().objectMapFd(object, name);
    const info = fd < 0 ? undefined : native().mapInfo(fd);
    const key = map.type === "ringbuf" ? 0 : map.key.size;
    const value = map.type === "ringbuf" ? 0 : "inner" in map ? 4 : map.value.size;
    if (info?.keySize === key && info.valueSize === value) continue;
    const message = `load ${spec.name}: map ${name} is not as generated; run npm run generate -w libs/bpf-runtime`;
    throw new BpfError("BPF_BAD_OBJECT", message, { operation: "load" });
  }
}
