// Generated from stamp_bench.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
import {
  array,
  be16,
  be32,
  bytes,
  type Codec,
  objectPath,
  type ObjectSpec,
  s64,
  u16,
  u32,
  u64,
  u8,
} from "@waymark/bpf-runtime/generated";

const bytes16 = bytes(16);

/** `struct stamp_prefix`, 24 octets */
export interface StampPrefix {
  readonly bits: number;
  readonly version: number;
  readonly address: Uint8Array;
}

export const stampPrefix: Codec<StampPrefix> = {
  size: 24,
  decode: (view, at) => ({
    bits: view.getUint32(at, true),
    version: view.getUint32(at + 4, true),
    address: bytes16.decode(view, at + 8),
  }),
  encode: (view, at, value) => {
    u32.encode(view, at, value.bits, "stamp_prefix.bits");
    u32.encode(view, at + 4, value.version, "stamp_prefix.version");
    bytes16.encode(view, at + 8, value.address, "stamp_prefix.address");
  },
};

const be32Array24 = array(be32, 24);

const u32Array64 = array(u32, 64);

const u32Array8 = array(u32, 8);

/** `struct stamp_hmac_work`, 384 octets */
export interface StampHmacWork {
  readonly text: readonly number[];
  readonly schedule: readonly number[];
  readonly state: readonly number[];
}

export const stampHmacWork: Codec<StampHmacWork> = {
  size: 384,
  decode: (view, at) => ({
    text: be32Array24.decode(view, at),
    schedule: u32Array64.decode(view, at + 96),
    state: u32Array8.decode(view, at + 352),
  }),
  encode: (view, at, value) => {
    be32Array24.encode(view, at, value.text, "stamp_hmac_work.text");
    u32Array64.encode(view, at + 96, value.schedule, "stamp_hmac_work.schedule");
    u32Array8.encode(view, at + 352, value.state, "stamp_hmac_work.state");
  },
};

/** `struct stamp_key`, 64 octets */
export interface StampKey {
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}

export const stampKey: Codec<StampKey> = {
  size: 64,
  decode: (view, at) => ({
    inner: u32Array8.decode(view, at),
    outer: u32Array8.decode(view, at + 32),
  }),
  encode: (view, at, value) => {
    u32Array8.encode(view, at, value.inner, "stamp_key.inner");
    u32Array8.encode(view, at + 32, value.outer, "stamp_key.outer");
  },
};

/** `struct stamp_observed`, 24 octets */
export interface StampObserved {
  readonly received_ns: bigint;
  readonly sent: bigint;
  readonly error_estimate: bigint;
}

export const stampObserved: Codec<StampObserved> = {
  size: 24,
  decode: (view, at) => ({
    received_ns: view.getBigUint64(at, true),
    sent: view.getBigUint64(at + 8, true),
    error_estimate: view.getBigUint64(at + 16, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.received_ns, "stamp_observed.received_ns");
    u64.encode(view, at + 8, value.sent, "stamp_observed.sent");
    u64.encode(view, at + 16, value.error_estimate, "stamp_observed.error_estimate");
  },
};

const bytes112 = bytes(112);

/** `struct stamp_original`, 112 octets */
export interface StampOriginal {
  readonly octets: Uint8Array;
}

export const stampOriginal: Codec<StampOriginal> = {
  size: 112,
  decode: (view, at) => ({
    octets: bytes112.decode(view, at),
  }),
  encode: (view, at, value) => {
    bytes112.encode(view, at, value.octets, "stamp_original.octets");
  },
};

const bytes3584 = bytes(3584);

/** `struct stamp_request`, 3648 octets */
export interface StampRequest {
  readonly received_ns: bigint;
  readonly session_received: bigint;
  readonly session_answered: bigint;
  readonly previous_ns: bigint;
  readonly previous_sequence: number;
  readonly length: number;
  readonly l3_offset: number;
  readonly l4_offset: number;
  readonly sequence: number;
  readonly vlan_protocol: number;
  readonly vlan_tci: number;
  readonly tos: number;
  readonly hops: number;
  readonly frame: Uint8Array;
}

export const stampRequest: Codec<StampRequest> = {
  size: 3648,
  decode: (view, at) => ({
    received_ns: view.getBigUint64(at, true),
    session_received: view.getBigUint64(at + 8, true),
    session_answered: view.getBigUint64(at + 16, true),
    previous_ns: view.getBigUint64(at + 24, true),
    previous_sequence: view.getUint32(at + 32, true),
    length: view.getUint32(at + 36, true),
    l3_offset: view.getUint32(at + 40, true),
    l4_offset: view.getUint32(at + 44, true),
    sequence: view.getUint32(at + 48, true),
    vlan_protocol: view.getUint16(at + 52),
    vlan_tci: view.getUint16(at + 54, true),
    tos: view.getUint8(at + 56),
    hops: view.getUint8(at + 57),
    frame: bytes3584.decode(view, at + 64),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.received_ns, "stamp_request.received_ns");
    u64.encode(view, at + 8, value.session_received, "stamp_request.session_received");
    u64.encode(view, at + 16, value.session_answered, "stamp_request.session_answered");
    u64.encode(view, at + 24, value.previous_ns, "stamp_request.previous_ns");
    u32.encode(view, at + 32, value.previous_sequence, "stamp_request.previous_sequence");
    u32.encode(view, at + 36, value.length, "stamp_request.length");
    u32.encode(view, at + 40, value.l3_offset, "stamp_request.l3_offset");
    u32.encode(view, at + 44, value.l4_offset, "stamp_request.l4_offset");
    u32.encode(view, at + 48, value.sequence, "stamp_request.sequence");
    be16.encode(view, at + 52, value.vlan_protocol, "stamp_request.vlan_protocol");
    u16.encode(view, at + 54, value.vlan_tci, "stamp_request.vlan_tci");
    u8.encode(view, at + 56, value.tos, "stamp_request.tos");
    u8.encode(view, at + 57, value.hops, "stamp_request.hops");
    bytes3584.encode(view, at + 64, value.frame, "stamp_request.frame");
  },
};

/** `struct stamp_session_key`, 40 octets */
export interface StampSessionKey {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly source_port: number;
  readonly ssid: number;
}

export const stampSessionKey: Codec<StampSessionKey> = {
  size: 40,
  decode: (view, at) => ({
    source: bytes16.decode(view, at),
    destination: bytes16.decode(view, at + 16),
    source_port: view.getUint16(at + 32),
    ssid: view.getUint16(at + 34),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.source, "stamp_session_key.source");
    bytes16.encode(view, at + 16, value.destination, "stamp_session_key.destination");
    be16.encode(view, at + 32, value.source_port, "stamp_session_key.source_port");
    be16.encode(view, at + 34, value.ssid, "stamp_session_key.ssid");
  },
};

/** `struct stamp_session`, 64 octets */
export interface StampSession {
  readonly received: bigint;
  readonly answered: bigint;
  readonly last_seen_ns: bigint;
  readonly newest_time: bigint;
  readonly seen: bigint;
  readonly stamped_ns: bigint;
  readonly stamped_sequence: number;
  readonly newest_sequence: number;
}

export const stampSession: Codec<StampSession> = {
  size: 64,
  decode: (view, at) => ({
    received: view.getBigUint64(at, true),
    answered: view.getBigUint64(at + 8, true),
    last_seen_ns: view.getBigUint64(at + 16, true),
    newest_time: view.getBigUint64(at + 24, true),
    seen: view.getBigUint64(at + 32, true),
    stamped_ns: view.getBigUint64(at + 40, true),
    stamped_sequence: view.getUint32(at + 48, true),
    newest_sequence: view.getUint32(at + 52, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.received, "stamp_session.received");
    u64.encode(view, at + 8, value.answered, "stamp_session.answered");
    u64.encode(view, at + 16, value.last_seen_ns, "stamp_session.last_seen_ns");
    u64.encode(view, at + 24, value.newest_time, "stamp_session.newest_time");
    u64.encode(view, at + 32, value.seen, "stamp_session.seen");
    u64.encode(view, at + 40, value.stamped_ns, "stamp_session.stamped_ns");
    u32.encode(view, at + 48, value.stamped_sequence, "stamp_session.stamped_sequence");
    u32.encode(view, at + 52, value.newest_sequence, "stamp_session.newest_sequence");
  },
};

const bytes6 = bytes(6);

/** `struct stamp_way`, 48 octets */
export interface StampWay {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly ifindex: number;
  readonly source_mac: Uint8Array;
  readonly destination_mac: Uint8Array;
}

export const stampWay: Codec<StampWay> = {
  size: 48,
  decode: (view, at) => ({
    source: bytes16.decode(view, at),
    destination: bytes16.decode(view, at + 16),
    ifindex: view.getUint32(at + 32, true),
    source_mac: bytes6.decode(view, at + 36),
    destination_mac: bytes6.decode(view, at + 42),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.source, "stamp_way.source");
    bytes16.encode(view, at + 16, value.destination, "stamp_way.destination");
    u32.encode(view, at + 32, value.ifindex, "stamp_way.ifindex");
    bytes6.encode(view, at + 36, value.source_mac, "stamp_way.source_mac");
    bytes6.encode(view, at + 42, value.destination_mac, "stamp_way.destination_mac");
  },
};

/** `struct stamp_reflector_config`, 48 octets */
export interface StampReflectorConfig {
  readonly cookie: bigint;
  readonly rate_gap_ns: bigint;
  readonly rate_burst_ns: bigint;
  readonly l2_length: number;
  readonly mark: number;
  readonly ifindex: number;
  readonly port: number;
  readonly authenticated: number;
  readonly stateful: number;
  readonly restricted: number;
  readonly via_stack: number;
  readonly leased: number;
  readonly ptp: number;
  readonly dscp: number;
  readonly copy_ecn: number;
  readonly observe: number;
}

export const stampReflectorConfig: Codec<StampReflectorConfig> = {
  size: 48,
  decode: (view, at) => ({
    cookie: view.getBigUint64(at, true),
    rate_gap_ns: view.getBigUint64(at + 8, true),
    rate_burst_ns: view.getBigUint64(at + 16, true),
    l2_length: view.getUint32(at + 24, true),
    mark: view.getUint32(at + 28, true),
    ifindex: view.getUint32(at + 32, true),
    port: view.getUint16(at + 36, true),
    authenticated: view.getUint8(at + 38),
    stateful: view.getUint8(at + 39),
    restricted: view.getUint8(at + 40),
    via_stack: view.getUint8(at + 41),
    leased: view.getUint8(at + 42),
    ptp: view.getUint8(at + 43),
    dscp: view.getUint8(at + 44),
    copy_ecn: view.getUint8(at + 45),
    observe: view.getUint8(at + 46),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.cookie, "stamp_reflector_config.cookie");
    u64.encode(view, at + 8, value.rate_gap_ns, "stamp_reflector_config.rate_gap_ns");
    u64.encode(view, at + 16, value.rate_burst_ns, "stamp_reflector_config.rate_burst_ns");
    u32.encode(view, at + 24, value.l2_length, "stamp_reflector_config.l2_length");
    u32.encode(view, at + 28, value.mark, "stamp_reflector_config.mark");
    u32.encode(view, at + 32, value.ifindex, "stamp_reflector_config.ifindex");
    u16.encode(view, at + 36, value.port, "stamp_reflector_config.port");
    u8.encode(view, at + 38, value.authenticated, "stamp_reflector_config.authenticated");
    u8.encode(view, at + 39, value.stateful, "stamp_reflector_config.stateful");
    u8.encode(view, at + 40, value.restricted, "stamp_reflector_config.restricted");
    u8.encode(view, at + 41, value.via_stack, "stamp_reflector_config.via_stack");
    u8.encode(view, at + 42, value.leased, "stamp_reflector_config.leased");
    u8.encode(view, at + 43, value.ptp, "stamp_reflector_config.ptp");
    u8.encode(view, at + 44, value.dscp, "stamp_reflector_config.dscp");
    u8.encode(view, at + 45, value.copy_ecn, "stamp_reflector_config.copy_ecn");
    u8.encode(view, at + 46, value.observe, "stamp_reflector_config.observe");
  },
};

const u64Array8 = array(u64, 8);

/** `struct stamp_few_own`, 64 octets */
export interface StampFewOwn {
  readonly words: readonly bigint[];
}

export const stampFewOwn: Codec<StampFewOwn> = {
  size: 64,
  decode: (view, at) => ({
    words: u64Array8.decode(view, at),
  }),
  encode: (view, at, value) => {
    u64Array8.encode(view, at, value.words, "stamp_few_own.words");
  },
};

/** `enum stamp_reflector_count` */
export const StampReflectorCount = {
  STAMP_REFLECTED: 0,
  STAMP_USER_PATH: 1,
  STAMP_USER_PATH_FULL: 2,
  STAMP_NOT_OURS: 3,
  STAMP_ANSWER: 4,
  STAMP_MALFORMED: 5,
  STAMP_UNHANDLED_HEADER: 6,
  STAMP_BAD_SOURCE: 7,
  STAMP_NOT_ALLOWED: 8,
  STAMP_RATE_LIMITED: 9,
  STAMP_BAD_HMAC: 10,
  STAMP_REPLAYED: 11,
  STAMP_TABLE_FULL: 12,
  STAMP_TOO_LONG: 13,
  STAMP_LEASE_EXPIRED: 14,
  STAMP_STAMPED: 15,
  STAMP_STAMP_FAILED: 16,
  STAMP_UNOBSERVED: 17,
  STAMP_REFLECTOR_COUNTS: 18,
} as const;
export type StampReflectorCount = (typeof StampReflectorCount)[keyof typeof StampReflectorCount];

/** Everything in `stamp_bench.bpf.c`. */
export const stampBenchSpec = {
  name: "stamp_bench",
  objectPath: objectPath(import.meta.url, "stamp_bench"),
  programs: {
    stamp_answer: { type: "tc" },
    stamp_in: { type: "tc" },
    stamp_inject: { type: "tc" },
    stamp_out: { type: "tc" },
    stamp_reflect: { type: "tc" },
    stamp_route: { type: "tc" },
    stamp_undo: { type: "tc" },
  },
  maps: {
    allowed: { type: "lpm_trie", key: stampPrefix, value: u8, maxEntries: 1024, flags: 1 },
    counts: { type: "percpu_array", key: u32, value: u64, maxEntries: 18, flags: 0 },
    hmac_work: { type: "percpu_array", key: u32, value: stampHmacWork, maxEntries: 1, flags: 0 },
    keys: { type: "hash", key: u32, value: stampKey, maxEntries: 1024, flags: 0 },
    observed: { type: "ringbuf", record: stampObserved, maxEntries: 1048576, flags: 0 },
    original: { type: "array", key: u32, value: stampOriginal, maxEntries: 1, flags: 0 },
    own_addresses: { type: "hash", key: bytes16, value: u8, maxEntries: 256, flags: 0 },
    rates: { type: "lru_hash", key: bytes16, value: u64, maxEntries: 65536, flags: 0 },
    requests: { type: "ringbuf", record: stampRequest, maxEntries: 4194304, flags: 0 },
    sessions: { type: "hash", key: stampSessionKey, value: stampSession, maxEntries: 65536, flags: 1 },
    ways: { type: "array", key: u32, value: stampWay, maxEntries: 1, flags: 0 },
  },
  rodata: {
    config: { section: ".rodata", offset: 0, codec: stampReflectorConfig },
    sha_constants: { section: ".rodata", offset: 48, codec: u32Array64 },
  },
  data: {
    few_own: { section: ".bss", offset: 32, codec: stampFewOwn },
    stamp_error_estimate: { section: ".bss", offset: 16, codec: u64 },
    stamp_lease_until_ns: { section: ".bss", offset: 24, codec: u64 },
    stamp_remember_answers: { section: ".bss", offset: 96, codec: u64 },
    stamp_unix_offset_ns: { section: ".bss", offset: 0, codec: s64 },
    stamp_wire_offset_ns: { section: ".bss", offset: 8, codec: s64 },
  },
} as const satisfies ObjectSpec;

export type StampBenchSpec = typeof stampBenchSpec;
