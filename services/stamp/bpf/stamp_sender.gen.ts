// Generated from stamp_sender.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
import {
  array,
  be16,
  be32,
  be64,
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

const bytes1024 = bytes(1024);

/** `struct stamp_answer_tlvs`, 1040 octets */
export interface StampAnswerTlvs {
  readonly session: number;
  readonly sequence: number;
  readonly answer_sequence: number;
  readonly length: number;
  readonly octets: Uint8Array;
}

export const stampAnswerTlvs: Codec<StampAnswerTlvs> = {
  size: 1040,
  decode: (view, at) => ({
    session: view.getUint32(at, true),
    sequence: view.getUint32(at + 4, true),
    answer_sequence: view.getUint32(at + 8, true),
    length: view.getUint32(at + 12, true),
    octets: bytes1024.decode(view, at + 16),
  }),
  encode: (view, at, value) => {
    u32.encode(view, at, value.session, "stamp_answer_tlvs.session");
    u32.encode(view, at + 4, value.sequence, "stamp_answer_tlvs.sequence");
    u32.encode(view, at + 8, value.answer_sequence, "stamp_answer_tlvs.answer_sequence");
    u32.encode(view, at + 12, value.length, "stamp_answer_tlvs.length");
    bytes1024.encode(view, at + 16, value.octets, "stamp_answer_tlvs.octets");
  },
};

/** `struct stamp_event`, 56 octets */
export interface StampEvent {
  readonly sent_ns: bigint;
  readonly elapsed_ns: bigint;
  readonly received: bigint;
  readonly answered: bigint;
  readonly session: number;
  readonly sequence: number;
  readonly answer_sequence: number;
  readonly error_estimate: number;
  readonly ssid: number;
  readonly length: number;
  readonly kind: number;
  readonly nth: number;
  readonly sender_ttl: number;
  readonly hops: number;
  readonly tos: number;
}

export const stampEvent: Codec<StampEvent> = {
  size: 56,
  decode: (view, at) => ({
    sent_ns: view.getBigUint64(at, true),
    elapsed_ns: view.getBigUint64(at + 8, true),
    received: view.getBigUint64(at + 16),
    answered: view.getBigUint64(at + 24),
    session: view.getUint32(at + 32, true),
    sequence: view.getUint32(at + 36, true),
    answer_sequence: view.getUint32(at + 40, true),
    error_estimate: view.getUint16(at + 44),
    ssid: view.getUint16(at + 46),
    length: view.getUint16(at + 48, true),
    kind: view.getUint8(at + 50),
    nth: view.getUint8(at + 51),
    sender_ttl: view.getUint8(at + 52),
    hops: view.getUint8(at + 53),
    tos: view.getUint8(at + 54),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.sent_ns, "stamp_event.sent_ns");
    u64.encode(view, at + 8, value.elapsed_ns, "stamp_event.elapsed_ns");
    be64.encode(view, at + 16, value.received, "stamp_event.received");
    be64.encode(view, at + 24, value.answered, "stamp_event.answered");
    u32.encode(view, at + 32, value.session, "stamp_event.session");
    u32.encode(view, at + 36, value.sequence, "stamp_event.sequence");
    u32.encode(view, at + 40, value.answer_sequence, "stamp_event.answer_sequence");
    be16.encode(view, at + 44, value.error_estimate, "stamp_event.error_estimate");
    be16.encode(view, at + 46, value.ssid, "stamp_event.ssid");
    u16.encode(view, at + 48, value.length, "stamp_event.length");
    u8.encode(view, at + 50, value.kind, "stamp_event.kind");
    u8.encode(view, at + 51, value.nth, "stamp_event.nth");
    u8.encode(view, at + 52, value.sender_ttl, "stamp_event.sender_ttl");
    u8.encode(view, at + 53, value.hops, "stamp_event.hops");
    u8.encode(view, at + 54, value.tos, "stamp_event.tos");
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

/** `struct stamp_pending`, 32 octets */
export interface StampPending {
  readonly sent_ns: bigint;
  readonly monotonic_ns: bigint;
  readonly seconds: number;
  readonly fraction: number;
  readonly sequence: number;
  readonly answers: number;
}

export const stampPending: Codec<StampPending> = {
  size: 32,
  decode: (view, at) => ({
    sent_ns: view.getBigUint64(at, true),
    monotonic_ns: view.getBigUint64(at + 8, true),
    seconds: view.getUint32(at + 16),
    fraction: view.getUint32(at + 20),
    sequence: view.getUint32(at + 24, true),
    answers: view.getUint32(at + 28, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.sent_ns, "stamp_pending.sent_ns");
    u64.encode(view, at + 8, value.monotonic_ns, "stamp_pending.monotonic_ns");
    be32.encode(view, at + 16, value.seconds, "stamp_pending.seconds");
    be32.encode(view, at + 20, value.fraction, "stamp_pending.fraction");
    u32.encode(view, at + 24, value.sequence, "stamp_pending.sequence");
    u32.encode(view, at + 28, value.answers, "stamp_pending.answers");
  },
};

const bytes16 = bytes(16);

/** `struct stamp_target_key`, 24 octets */
export interface StampTargetKey {
  readonly remote: Uint8Array;
  readonly remote_port: number;
  readonly local_port: number;
}

export const stampTargetKey: Codec<StampTargetKey> = {
  size: 24,
  decode: (view, at) => ({
    remote: bytes16.decode(view, at),
    remote_port: view.getUint16(at + 16),
    local_port: view.getUint16(at + 18),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.remote, "stamp_target_key.remote");
    be16.encode(view, at + 16, value.remote_port, "stamp_target_key.remote_port");
    be16.encode(view, at + 18, value.local_port, "stamp_target_key.local_port");
  },
};

/** `struct stamp_sender_config`, 32 octets */
export interface StampSenderConfig {
  readonly cookie: bigint;
  readonly l2_length: number;
  readonly window: number;
  readonly ssid: number;
  readonly port: number;
  readonly authenticated: number;
  readonly leased: number;
  readonly ptp: number;
  readonly dscp: number;
  readonly tlvs: number;
}

export const stampSenderConfig: Codec<StampSenderConfig> = {
  size: 32,
  decode: (view, at) => ({
    cookie: view.getBigUint64(at, true),
    l2_length: view.getUint32(at + 8, true),
    window: view.getUint32(at + 12, true),
    ssid: view.getUint16(at + 16, true),
    port: view.getUint16(at + 18, true),
    authenticated: view.getUint8(at + 20),
    leased: view.getUint8(at + 21),
    ptp: view.getUint8(at + 22),
    dscp: view.getUint8(at + 23),
    tlvs: view.getUint8(at + 24),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.cookie, "stamp_sender_config.cookie");
    u32.encode(view, at + 8, value.l2_length, "stamp_sender_config.l2_length");
    u32.encode(view, at + 12, value.window, "stamp_sender_config.window");
    u16.encode(view, at + 16, value.ssid, "stamp_sender_config.ssid");
    u16.encode(view, at + 18, value.port, "stamp_sender_config.port");
    u8.encode(view, at + 20, value.authenticated, "stamp_sender_config.authenticated");
    u8.encode(view, at + 21, value.leased, "stamp_sender_config.leased");
    u8.encode(view, at + 22, value.ptp, "stamp_sender_config.ptp");
    u8.encode(view, at + 23, value.dscp, "stamp_sender_config.dscp");
    u8.encode(view, at + 24, value.tlvs, "stamp_sender_config.tlvs");
  },
};

/** `enum stamp_sender_count` */
export const StampSenderCount = {
  STAMP_SENT: 0,
  STAMP_SEND_FAILED: 1,
  STAMP_RECEIVED: 2,
  STAMP_DUPLICATE: 3,
  STAMP_UNMATCHED: 4,
  STAMP_ANSWER_BAD_HMAC: 5,
  STAMP_RING_FULL: 6,
  STAMP_SENDER_COUNTS: 7,
} as const;
export type StampSenderCount = (typeof StampSenderCount)[keyof typeof StampSenderCount];

/** `enum stamp_event_kind` */
export const StampEventKind = {
  STAMP_EVENT_SENT: 1,
  STAMP_EVENT_ANSWER: 2,
} as const;
export type StampEventKind = (typeof StampEventKind)[keyof typeof StampEventKind];

/** Everything in `stamp_sender.bpf.c`. */
export const stampSenderSpec = {
  name: "stamp_sender",
  objectPath: objectPath(import.meta.url, "stamp_sender"),
  programs: {
    stamp_collect: { type: "tc" },
    stamp_send: { type: "tc" },
  },
  maps: {
    answer_tlvs: { type: "ringbuf", record: stampAnswerTlvs, maxEntries: 4194304, flags: 0 },
    counts: { type: "percpu_array", key: u32, value: u64, maxEntries: 7, flags: 0 },
    events: { type: "ringbuf", record: stampEvent, maxEntries: 8388608, flags: 0 },
    hmac_work: { type: "percpu_array", key: u32, value: stampHmacWork, maxEntries: 1, flags: 0 },
    keys: { type: "hash", key: u32, value: stampKey, maxEntries: 1024, flags: 0 },
    pending: { type: "array", key: u32, value: stampPending, maxEntries: 1, flags: 0 },
    targets: { type: "hash", key: stampTargetKey, value: u32, maxEntries: 1024, flags: 0 },
  },
  rodata: {
    config: { section: ".rodata", offset: 0, codec: stampSenderConfig },
    sha_constants: { section: ".rodata", offset: 32, codec: u32Array64 },
  },
  data: {
    stamp_error_estimate: { section: ".bss", offset: 16, codec: u64 },
    stamp_lease_until_ns: { section: ".bss", offset: 24, codec: u64 },
    stamp_unix_offset_ns: { section: ".bss", offset: 0, codec: s64 },
    stamp_wire_offset_ns: { section: ".bss", offset: 8, codec: s64 },
  },
} as const satisfies ObjectSpec;

export type StampSenderSpec = typeof stampSenderSpec;
