// Generated from features.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
import {
  array,
  be16,
  be32,
  be64,
  bool,
  bytes,
  type Codec,
  objectPath,
  type ObjectSpec,
  s16,
  s32,
  s64,
  s8,
  u16,
  u32,
  u64,
  u8,
} from "@waymark/bpf-runtime/generated";

/** `struct sample_point`, 8 octets */
export interface SamplePoint {
  readonly x: number;
  readonly y: number;
}

export const samplePoint: Codec<SamplePoint> = {
  size: 8,
  decode: (view, at) => ({
    x: view.getInt32(at, true),
    y: view.getInt16(at + 4, true),
  }),
  encode: (view, at, value) => {
    s32.encode(view, at, value.x, "sample_point.x");
    s16.encode(view, at + 4, value.y, "sample_point.y");
  },
};

const samplePointArray2 = array(samplePoint, 2);

const u32Array3 = array(u32, 3);

const bytes5 = bytes(5);

const bytes4 = bytes(4);

/** `struct sample_record`, 88 octets */
export interface SampleRecord {
  readonly sequence: bigint;
  readonly offset_ns: bigint;
  readonly point: SamplePoint;
  readonly points: readonly SamplePoint[];
  readonly words: readonly number[];
  readonly address: number;
  readonly port: number;
  readonly kind: number;
  readonly level: number;
  readonly bytes: Uint8Array;
  readonly flag: boolean;
  readonly either: Uint8Array;
  readonly low: number;
  readonly high: number;
  readonly wide: bigint;
}

export const sampleRecord: Codec<SampleRecord> = {
  size: 88,
  decode: (view, at) => ({
    sequence: view.getBigUint64(at, true),
    offset_ns: view.getBigInt64(at + 8, true),
    point: samplePoint.decode(view, at + 16),
    points: samplePointArray2.decode(view, at + 24),
    words: u32Array3.decode(view, at + 40),
    address: view.getUint32(at + 52),
    port: view.getUint16(at + 56),
    kind: view.getUint8(at + 58),
    level: view.getInt8(at + 59),
    bytes: bytes5.decode(view, at + 60),
    flag: view.getUint8(at + 65) !== 0,
    either: bytes4.decode(view, at + 68),
    low: view.getUint16(at + 72, true),
    high: view.getUint16(at + 74, true),
    wide: view.getBigUint64(at + 80),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.sequence, "sample_record.sequence");
    s64.encode(view, at + 8, value.offset_ns, "sample_record.offset_ns");
    samplePoint.encode(view, at + 16, value.point, "sample_record.point");
    samplePointArray2.encode(view, at + 24, value.points, "sample_record.points");
    u32Array3.encode(view, at + 40, value.words, "sample_record.words");
    be32.encode(view, at + 52, value.address, "sample_record.address");
    be16.encode(view, at + 56, value.port, "sample_record.port");
    u8.encode(view, at + 58, value.kind, "sample_record.kind");
    s8.encode(view, at + 59, value.level, "sample_record.level");
    bytes5.encode(view, at + 60, value.bytes, "sample_record.bytes");
    bool.encode(view, at + 65, value.flag, "sample_record.flag");
    bytes4.encode(view, at + 68, value.either, "sample_record.either");
    u16.encode(view, at + 72, value.low, "sample_record.low");
    u16.encode(view, at + 74, value.high, "sample_record.high");
    be64.encode(view, at + 80, value.wide, "sample_record.wide");
  },
};

const bytes8 = bytes(8);

/** `struct sample_count`, 16 octets */
export interface SampleCount {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export const sampleCount: Codec<SampleCount> = {
  size: 16,
  decode: (view, at) => ({
    packets: view.getBigUint64(at, true),
    bytes: view.getBigUint64(at + 8, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.packets, "sample_count.packets");
    u64.encode(view, at + 8, value.bytes, "sample_count.bytes");
  },
};

/** `struct sample_config`, 16 octets */
export interface SampleConfig {
  readonly limit: bigint;
  readonly step: number;
  readonly enabled: number;
}

export const sampleConfig: Codec<SampleConfig> = {
  size: 16,
  decode: (view, at) => ({
    limit: view.getBigUint64(at, true),
    step: view.getUint32(at + 8, true),
    enabled: view.getUint8(at + 12),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.limit, "sample_config.limit");
    u32.encode(view, at + 8, value.step, "sample_config.step");
    u8.encode(view, at + 12, value.enabled, "sample_config.enabled");
  },
};

const u16Array4 = array(u16, 4);

/** `enum sample_kind` */
export const SampleKind = {
  SAMPLE_FIRST: 1,
  SAMPLE_SECOND: 2,
} as const;
export type SampleKind = (typeof SampleKind)[keyof typeof SampleKind];

/** Everything in `features.bpf.c`. */
export const featuresSpec = {
  name: "features",
  objectPath: objectPath(import.meta.url, "features"),
  programs: {
    features_config: { type: "tc" },
    features_count: { type: "tc" },
    features_emit: { type: "tc" },
    features_swap: { type: "tc" },
    features_xdp: { type: "xdp" },
  },
  maps: {
    by_key: { type: "percpu_hash", key: u32, value: u64, maxEntries: 256, flags: 0 },
    events: { type: "ringbuf", record: sampleRecord, maxEntries: 4096, flags: 0 },
    prefixes: { type: "lpm_trie", key: bytes8, value: u64, maxEntries: 64, flags: 1 },
    records: { type: "array", key: u32, value: sampleRecord, maxEntries: 8, flags: 0 },
    table: { type: "hash", key: u32, value: sampleCount, maxEntries: 1024, flags: 1 },
    tables: { type: "array_of_maps", key: u32, inner: { type: "hash", key: u32, value: sampleCount, maxEntries: 64, flags: 1 }, maxEntries: 2, flags: 0 },
    totals: { type: "percpu_array", key: u32, value: sampleCount, maxEntries: 4, flags: 0 },
  },
  rodata: {
    config: { section: ".rodata", offset: 0, codec: sampleConfig },
    ports: { section: ".rodata", offset: 16, codec: u16Array4 },
  },
  data: {
    events_dropped: { section: ".bss", offset: 16, codec: u64 },
    origin: { section: ".bss", offset: 8, codec: samplePoint },
    runs: { section: ".bss", offset: 0, codec: u64 },
    seed: { section: ".data", offset: 0, codec: u32 },
  },
} as const satisfies ObjectSpec;

export type FeaturesSpec = typeof featuresSpec;
