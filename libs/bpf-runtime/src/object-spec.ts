import type { Codec, CodecValue } from "./codec.ts";

/** Map types by the name that specs use; the numbers are the kernel's (`enum bpf_map_type`). */
export const MAP_TYPES = {
  hash: 1,
  array: 2,
  percpu_hash: 5,
  percpu_array: 6,
  lru_hash: 9,
  lru_percpu_hash: 10,
  lpm_trie: 11,
  array_of_maps: 12,
  hash_of_maps: 13,
  ringbuf: 27,
} as const;

/** Name of a map type. */
export type MapType = keyof typeof MAP_TYPES;

/** Map types whose values are one for each possible CPU. */
export type PerCpuMapType = "percpu_hash" | "percpu_array" | "lru_percpu_hash";
/** Map types whose values are maps. */
export type OuterMapType = "array_of_maps" | "hash_of_maps";
/** Map types of one value for a key. */
export type PlainMapType = "hash" | "array" | "lru_hash" | "lpm_trie";

/** A map of plain or per-CPU values. */
export interface ValueMapSpec {
  readonly type: PlainMapType | PerCpuMapType;
  readonly key: Codec<unknown>;
  readonly value: Codec<unknown>;
  readonly maxEntries: number;
  readonly flags: number;
}

/** A map of maps. */
export interface OuterMapSpec {
  readonly type: OuterMapType;
  readonly key: Codec<unknown>;
  readonly inner: ValueMapSpec;
  readonly maxEntries: number;
  readonly flags: number;
}

/** A ring buffer; `record` is the value type of its definition. */
export interface RingSpec {
  readonly type: "ringbuf";
  readonly record: Codec<unknown>;
  /** Octets, as compiled in. */
  readonly maxEntries: number;
  readonly flags: number;
}

/** One map of an object. */
export type MapSpec = ValueMapSpec | OuterMapSpec | RingSpec;

/** A global variable: where it lies in its section. */
export interface VariableSpec {
  readonly section: string;
  readonly offset: number;
  readonly codec: Codec<unknown>;
}

/** A program: what its section says. */
export interface ProgramSpec {
  readonly type: "tc" | "xdp";
}

/** All that is known of a BPF object before it is opened; generated from its BTF. */
export interface ObjectSpec {
  readonly name: string;
  /** Absolute path of the compiled object. */
  readonly objectPath: string;
  readonly programs: Readonly<Record<string, ProgramSpec>>;
  readonly maps: Readonly<Record<string, MapSpec>>;
  /** Constants that are set before load. */
  readonly rodata: Readonly<Record<string, VariableSpec>>;
  /** Variables that programs and user space share while running. */
  readonly data: Readonly<Record<string, VariableSpec>>;
}

/** Names of the maps of `S` that have one of the types `T`. */
export type MapNames<S extends ObjectSpec, T extends MapType> = {
  [N in keyof S["maps"]]: S["maps"][N]["type"] extends T ? N : never;
}[keyof S["maps"]] &
  string;

/** Type of the key of a map. */
export type KeyOf<M> = M extends { readonly key: infer C } ? CodecValue<C> : never;
/** Type of the value of a map. */
export type ValueOf<M> = M extends { readonly value: infer C } ? CodecValue<C> : never;
/** Type of the record of a ring buffer. */
export type RecordOf<M> = M extends { readonly record: infer C } ? CodecValue<C> : never;
/** Types of variables by name. */
export type VariablesOf<V> = { -readonly [N in keyof V]: V[N] extends { codec: infer C } ? CodecValue<C> : never };
