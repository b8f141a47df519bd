// Generated from flowmon.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
import {
  array,
  be16,
  bytes,
  type Codec,
  objectPath,
  type ObjectSpec,
  s32,
  s64,
  u16,
  u32,
  u64,
  u8,
} from "@waymark/bpf-runtime/generated";

const u64Array33 = array(u64, 33);

/** `struct flowmon_chunk`, 264 octets */
export interface FlowmonChunk {
  readonly word: readonly bigint[];
}

export const flowmonChunk: Codec<FlowmonChunk> = {
  size: 264,
  decode: (view, at) => ({
    word: u64Array33.decode(view, at),
  }),
  encode: (view, at, value) => {
    u64Array33.encode(view, at, value.word, "flowmon_chunk.word");
  },
};

const bytes16 = bytes(16);

/** `struct flowmon_key`, 44 octets */
export interface FlowmonKey {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly source_port: number;
  readonly destination_port: number;
  readonly vlan: number;
  readonly protocol: number;
  readonly version: number;
  readonly direction: number;
}

export const flowmonKey: Codec<FlowmonKey> = {
  size: 44,
  decode: (view, at) => ({
    source: bytes16.decode(view, at),
    destination: bytes16.decode(view, at + 16),
    source_port: view.getUint16(at + 32),
    destination_port: view.getUint16(at + 34),
    vlan: view.getUint16(at + 36, true),
    protocol: view.getUint8(at + 38),
    version: view.getUint8(at + 39),
    direction: view.getUint8(at + 40),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.source, "flowmon_key.source");
    bytes16.encode(view, at + 16, value.destination, "flowmon_key.destination");
    be16.encode(view, at + 32, value.source_port, "flowmon_key.source_port");
    be16.encode(view, at + 34, value.destination_port, "flowmon_key.destination_port");
    u16.encode(view, at + 36, value.vlan, "flowmon_key.vlan");
    u8.encode(view, at + 38, value.protocol, "flowmon_key.protocol");
    u8.encode(view, at + 39, value.version, "flowmon_key.version");
    u8.encode(view, at + 40, value.direction, "flowmon_key.direction");
  },
};

const bytes144 = bytes(144);

/** `struct flowmon_rtp`, 32 octets */
export interface FlowmonRtp {
  readonly ssrc: number;
  readonly timestamp: number;
  readonly arrival_ns: bigint;
  readonly jitter_ns_16: bigint;
  readonly sequence: number;
  readonly in_sequence: number;
  readonly payload_type: number;
}

export const flowmonRtp: Codec<FlowmonRtp> = {
  size: 32,
  decode: (view, at) => ({
    ssrc: view.getUint32(at, true),
    timestamp: view.getUint32(at + 4, true),
    arrival_ns: view.getBigUint64(at + 8, true),
    jitter_ns_16: view.getBigUint64(at + 16, true),
    sequence: view.getUint16(at + 24, true),
    in_sequence: view.getUint8(at + 26),
    payload_type: view.getUint8(at + 27),
  }),
  encode: (view, at, value) => {
    u32.encode(view, at, value.ssrc, "flowmon_rtp.ssrc");
    u32.encode(view, at + 4, value.timestamp, "flowmon_rtp.timestamp");
    u64.encode(view, at + 8, value.arrival_ns, "flowmon_rtp.arrival_ns");
    u64.encode(view, at + 16, value.jitter_ns_16, "flowmon_rtp.jitter_ns_16");
    u16.encode(view, at + 24, value.sequence, "flowmon_rtp.sequence");
    u8.encode(view, at + 26, value.in_sequence, "flowmon_rtp.in_sequence");
    u8.encode(view, at + 27, value.payload_type, "flowmon_rtp.payload_type");
  },
};

/** `struct flowmon_bank`, 208 octets */
export interface FlowmonBank {
  readonly epoch: number;
  readonly restarts: number;
  readonly packets: bigint;
  readonly l3_bytes: bigint;
  readonly payload_bytes: bigint;
  readonly goodput_bytes: bigint;
  readonly gaps: bigint;
  readonly gap_sum_ns: bigint;
  readonly gap_squares_low: bigint;
  readonly gap_squares_high: bigint;
  readonly super_gaps: bigint;
  readonly burst_1ms_l3_bytes: bigint;
  readonly burst_10ms_l3_bytes: bigint;
  readonly current: bigint;
  readonly numbered: bigint;
  readonly reverse: bigint;
  readonly small: bigint;
  readonly big: bigint;
  readonly duplicates: bigint;
  readonly reordered: bigint;
  readonly lost: bigint;
  readonly recovered: bigint;
  readonly episodes: bigint;
  readonly episodes_change: bigint;
  readonly sequence_restarts: bigint;
  readonly rtp_packets: bigint;
  readonly rtp_jitter_ns_16: bigint;
}

export const flowmonBank: Codec<FlowmonBank> = {
  size: 208,
  decode: (view, at) => ({
    epoch: view.getUint32(at, true),
    restarts: view.getUint32(at + 4, true),
    packets: view.getBigUint64(at + 8, true),
    l3_bytes: view.getBigUint64(at + 16, true),
    payload_bytes: view.getBigUint64(at + 24, true),
    goodput_bytes: view.getBigUint64(at + 32, true),
    gaps: view.getBigUint64(at + 40, true),
    gap_sum_ns: view.getBigUint64(at + 48, true),
    gap_squares_low: view.getBigUint64(at + 56, true),
    gap_squares_high: view.getBigUint64(at + 64, true),
    super_gaps: view.getBigUint64(at + 72, true),
    burst_1ms_l3_bytes: view.getBigUint64(at + 80, true),
    burst_10ms_l3_bytes: view.getBigUint64(at + 88, true),
    current: view.getBigUint64(at + 96, true),
    numbered: view.getBigUint64(at + 104, true),
    reverse: view.getBigUint64(at + 112, true),
    small: view.getBigUint64(at + 120, true),
    big: view.getBigUint64(at + 128, true),
    duplicates: view.getBigUint64(at + 136, true),
    reordered: view.getBigUint64(at + 144, true),
    lost: view.getBigUint64(at + 152, true),
    recovered: view.getBigUint64(at + 160, true),
    episodes: view.getBigUint64(at + 168, true),
    episodes_change: view.getBigInt64(at + 176, true),
    sequence_restarts: view.getBigUint64(at + 184, true),
    rtp_packets: view.getBigUint64(at + 192, true),
    rtp_jitter_ns_16: view.getBigUint64(at + 200, true),
  }),
  encode: (view, at, value) => {
    u32.encode(view, at, value.epoch, "flowmon_bank.epoch");
    u32.encode(view, at + 4, value.restarts, "flowmon_bank.restarts");
    u64.encode(view, at + 8, value.packets, "flowmon_bank.packets");
    u64.encode(view, at + 16, value.l3_bytes, "flowmon_bank.l3_bytes");
    u64.encode(view, at + 24, value.payload_bytes, "flowmon_bank.payload_bytes");
    u64.encode(view, at + 32, value.goodput_bytes, "flowmon_bank.goodput_bytes");
    u64.encode(view, at + 40, value.gaps, "flowmon_bank.gaps");
    u64.encode(view, at + 48, value.gap_sum_ns, "flowmon_bank.gap_sum_ns");
    u64.encode(view, at + 56, value.gap_squares_low, "flowmon_bank.gap_squares_low");
    u64.encode(view, at + 64, value.gap_squares_high, "flowmon_bank.gap_squares_high");
    u64.encode(view, at + 72, value.super_gaps, "flowmon_bank.super_gaps");
    u64.encode(view, at + 80, value.burst_1ms_l3_bytes, "flowmon_bank.burst_1ms_l3_bytes");
    u64.encode(view, at + 88, value.burst_10ms_l3_bytes, "flowmon_bank.burst_10ms_l3_bytes");
    u64.encode(view, at + 96, value.current, "flowmon_bank.current");
    u64.encode(view, at + 104, value.numbered, "flowmon_bank.numbered");
    u64.encode(view, at + 112, value.reverse, "flowmon_bank.reverse");
    u64.encode(view, at + 120, value.small, "flowmon_bank.small");
    u64.encode(view, at + 128, value.big, "flowmon_bank.big");
    u64.encode(view, at + 136, value.duplicates, "flowmon_bank.duplicates");
    u64.encode(view, at + 144, value.reordered, "flowmon_bank.reordered");
    u64.encode(view, at + 152, value.lost, "flowmon_bank.lost");
    u64.encode(view, at + 160, value.recovered, "flowmon_bank.recovered");
    u64.encode(view, at + 168, value.episodes, "flowmon_bank.episodes");
    s64.encode(view, at + 176, value.episodes_change, "flowmon_bank.episodes_change");
    u64.encode(view, at + 184, value.sequence_restarts, "flowmon_bank.sequence_restarts");
    u64.encode(view, at + 192, value.rtp_packets, "flowmon_bank.rtp_packets");
    u64.encode(view, at + 200, value.rtp_jitter_ns_16, "flowmon_bank.rtp_jitter_ns_16");
  },
};

const flowmonBankArray2 = array(flowmonBank, 2);

/** `struct flowmon_flow`, 656 octets */
export interface FlowmonFlow {
  readonly tag: number;
  readonly last_ns: bigint;
  readonly generation: bigint;
  readonly window_1ms_end_ns: bigint;
  readonly window_1ms_l3_bytes: bigint;
  readonly window_10ms_end_ns: bigint;
  readonly window_10ms_l3_bytes: bigint;
  readonly started: number;
  readonly union64: Uint8Array;
  readonly rtp: FlowmonRtp;
  readonly banks: readonly FlowmonBank[];
}

export const flowmonFlow: Codec<FlowmonFlow> = {
  size: 656,
  decode: (view, at) => ({
    tag: view.getUint32(at + 4, true),
    last_ns: view.getBigUint64(at + 8, true),
    generation: view.getBigUint64(at + 16, true),
    window_1ms_end_ns: view.getBigUint64(at + 24, true),
    window_1ms_l3_bytes: view.getBigUint64(at + 32, true),
    window_10ms_end_ns: view.getBigUint64(at + 40, true),
    window_10ms_l3_bytes: view.getBigUint64(at + 48, true),
    started: view.getUint32(at + 56, true),
    union64: bytes144.decode(view, at + 64),
    rtp: flowmonRtp.decode(view, at + 208),
    banks: flowmonBankArray2.decode(view, at + 240),
  }),
  encode: (view, at, value) => {
    u32.encode(view, at + 4, value.tag, "flowmon_flow.tag");
    u64.encode(view, at + 8, value.last_ns, "flowmon_flow.last_ns");
    u64.encode(view, at + 16, value.generation, "flowmon_flow.generation");
    u64.encode(view, at + 24, value.window_1ms_end_ns, "flowmon_flow.window_1ms_end_ns");
    u64.encode(view, at + 32, value.window_1ms_l3_bytes, "flowmon_flow.window_1ms_l3_bytes");
    u64.encode(view, at + 40, value.window_10ms_end_ns, "flowmon_flow.window_10ms_end_ns");
    u64.encode(view, at + 48, value.window_10ms_l3_bytes, "flowmon_flow.window_10ms_l3_bytes");
    u32.encode(view, at + 56, value.started, "flowmon_flow.started");
    bytes144.encode(view, at + 64, value.union64, "flowmon_flow.union64");
    flowmonRtp.encode(view, at + 208, value.rtp, "flowmon_flow.rtp");
    flowmonBankArray2.encode(view, at + 240, value.banks, "flowmon_flow.banks");
  },
};

const bytes656 = bytes(656);

/** `struct flowmon_newcomer`, 656 octets */
export interface FlowmonNewcomer {
  readonly octets: Uint8Array;
}

export const flowmonNewcomer: Codec<FlowmonNewcomer> = {
  size: 656,
  decode: (view, at) => ({
    octets: bytes656.decode(view, at),
  }),
  encode: (view, at, value) => {
    bytes656.encode(view, at, value.octets, "flowmon_newcomer.octets");
  },
};

/** `struct flowmon_overflow`, 32 octets */
export interface FlowmonOverflow {
  readonly epoch: bigint;
  readonly packets: bigint;
  readonly l3_bytes: bigint;
  readonly payload_bytes: bigint;
}

export const flowmonOverflow: Codec<FlowmonOverflow> = {
  size: 32,
  decode: (view, at) => ({
    epoch: view.getBigUint64(at, true),
    packets: view.getBigUint64(at + 8, true),
    l3_bytes: view.getBigUint64(at + 16, true),
    payload_bytes: view.getBigUint64(at + 24, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.epoch, "flowmon_overflow.epoch");
    u64.encode(view, at + 8, value.packets, "flowmon_overflow.packets");
    u64.encode(view, at + 16, value.l3_bytes, "flowmon_overflow.l3_bytes");
    u64.encode(view, at + 24, value.payload_bytes, "flowmon_overflow.payload_bytes");
  },
};

/** `struct flowmon_address`, 16 octets */
export interface FlowmonAddress {
  readonly octets: Uint8Array;
}

export const flowmonAddress: Codec<FlowmonAddress> = {
  size: 16,
  decode: (view, at) => ({
    octets: bytes16.decode(view, at),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.octets, "flowmon_address.octets");
  },
};

const u32Array128 = array(u32, 128);

/** `struct flowmon_rtp_port`, 8 octets */
export interface FlowmonRtpPort {
  readonly port: number;
  readonly rate: number;
}

export const flowmonRtpPort: Codec<FlowmonRtpPort> = {
  size: 8,
  decode: (view, at) => ({
    port: view.getUint16(at),
    rate: view.getUint32(at + 4, true),
  }),
  encode: (view, at, value) => {
    be16.encode(view, at, value.port, "flowmon_rtp_port.port");
    u32.encode(view, at + 4, value.rate, "flowmon_rtp_port.rate");
  },
};

const flowmonRtpPortArray8 = array(flowmonRtpPort, 8);

/** `struct flowmon_config`, 588 octets */
export interface FlowmonConfig {
  readonly l2_length: number;
  readonly gaps: number;
  readonly bursts: number;
  readonly loss: number;
  readonly rtp: number;
  readonly own: number;
  readonly rtp_rates: readonly number[];
  readonly rtp_ports: readonly FlowmonRtpPort[];
}

export const flowmonConfig: Codec<FlowmonConfig> = {
  size: 588,
  decode: (view, at) => ({
    l2_length: view.getUint32(at, true),
    gaps: view.getUint8(at + 4),
    bursts: view.getUint8(at + 5),
    loss: view.getUint8(at + 6),
    rtp: view.getUint8(at + 7),
    own: view.getUint8(at + 8),
    rtp_rates: u32Array128.decode(view, at + 12),
    rtp_ports: flowmonRtpPortArray8.decode(view, at + 524),
  }),
  encode: (view, at, value) => {
    u32.encode(view, at, value.l2_length, "flowmon_config.l2_length");
    u8.encode(view, at + 4, value.gaps, "flowmon_config.gaps");
    u8.encode(view, at + 5, value.bursts, "flowmon_config.bursts");
    u8.encode(view, at + 6, value.loss, "flowmon_config.loss");
    u8.encode(view, at + 7, value.rtp, "flowmon_config.rtp");
    u8.encode(view, at + 8, value.own, "flowmon_config.own");
    u32Array128.encode(view, at + 12, value.rtp_rates, "flowmon_config.rtp_rates");
    flowmonRtpPortArray8.encode(view, at + 524, value.rtp_ports, "flowmon_config.rtp_ports");
  },
};

/** `struct flowmon_place`, 40 octets */
export interface FlowmonPlace {
  readonly threshold: bigint;
  readonly step: bigint;
  readonly mask: bigint;
  readonly mode: number;
  readonly offset: number;
  readonly pattern: number;
  readonly width: number;
  readonly little_endian: number;
}

export const flowmonPlace: Codec<FlowmonPlace> = {
  size: 40,
  decode: (view, at) => ({
    threshold: view.getBigUint64(at, true),
    step: view.getBigUint64(at + 8, true),
    mask: view.getBigUint64(at + 16, true),
    mode: view.getUint32(at + 24, true),
    offset: view.getInt32(at + 28, true),
    pattern: view.getUint32(at + 32, true),
    width: view.getUint8(at + 36),
    little_endian: view.getUint8(at + 37),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.threshold, "flowmon_place.threshold");
    u64.encode(view, at + 8, value.step, "flowmon_place.step");
    u64.encode(view, at + 16, value.mask, "flowmon_place.mask");
    u32.encode(view, at + 24, value.mode, "flowmon_place.mode");
    s32.encode(view, at + 28, value.offset, "flowmon_place.offset");
    u32.encode(view, at + 32, value.pattern, "flowmon_place.pattern");
    u8.encode(view, at + 36, value.width, "flowmon_place.width");
    u8.encode(view, at + 37, value.little_endian, "flowmon_place.little_endian");
  },
};

const u64Array2 = array(u64, 2);

/** `struct flowmon_rule`, 72 octets */
export interface FlowmonRule {
  readonly source: readonly bigint[];
  readonly source_mask: readonly bigint[];
  readonly destination: readonly bigint[];
  readonly destination_mask: readonly bigint[];
  readonly source_port: number;
  readonly destination_port: number;
  readonly classes: number;
  readonly source_version: number;
  readonly destination_version: number;
}

export const flowmonRule: Codec<FlowmonRule> = {
  size: 72,
  decode: (view, at) => ({
    source: u64Array2.decode(view, at),
    source_mask: u64Array2.decode(view, at + 16),
    destination: u64Array2.decode(view, at + 32),
    destination_mask: u64Array2.decode(view, at + 48),
    source_port: view.getUint16(at + 64),
    destination_port: view.getUint16(at + 66),
    classes: view.getUint8(at + 68),
    source_version: view.getUint8(at + 69),
    destination_version: view.getUint8(at + 70),
  }),
  encode: (view, at, value) => {
    u64Array2.encode(view, at, value.source, "flowmon_rule.source");
    u64Array2.encode(view, at + 16, value.source_mask, "flowmon_rule.source_mask");
    u64Array2.encode(view, at + 32, value.destination, "flowmon_rule.destination");
    u64Array2.encode(view, at + 48, value.destination_mask, "flowmon_rule.destination_mask");
    be16.encode(view, at + 64, value.source_port, "flowmon_rule.source_port");
    be16.encode(view, at + 66, value.destination_port, "flowmon_rule.destination_port");
    u8.encode(view, at + 68, value.classes, "flowmon_rule.classes");
    u8.encode(view, at + 69, value.source_version, "flowmon_rule.source_version");
    u8.encode(view, at + 70, value.destination_version, "flowmon_rule.destination_version");
  },
};

const flowmonRuleArray256 = array(flowmonRule, 256);

/** `struct flowmon_settings`, 18488 octets */
export interface FlowmonSettings {
  readonly generation: bigint;
  readonly rule_count: number;
  readonly place: FlowmonPlace;
  readonly rules: readonly FlowmonRule[];
}

export const flowmonSettings: Codec<FlowmonSettings> = {
  size: 18488,
  decode: (view, at) => ({
    generation: view.getBigUint64(at, true),
    rule_count: view.getUint32(at + 8, true),
    place: flowmonPlace.decode(view, at + 16),
    rules: flowmonRuleArray256.decode(view, at + 56),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.generation, "flowmon_settings.generation");
    u32.encode(view, at + 8, value.rule_count, "flowmon_settings.rule_count");
    flowmonPlace.encode(view, at + 16, value.place, "flowmon_settings.place");
    flowmonRuleArray256.encode(view, at + 56, value.rules, "flowmon_settings.rules");
  },
};

const flowmonSettingsArray2 = array(flowmonSettings, 2);

/** `enum flowmon_class` */
export const FlowmonClass = {
  FLOWMON_TCP: 0,
  FLOWMON_UDP: 1,
  FLOWMON_ICMP: 2,
  FLOWMON_CLASSES: 3,
} as const;
export type FlowmonClass = (typeof FlowmonClass)[keyof typeof FlowmonClass];

/** `enum flowmon_direction` */
export const FlowmonDirection = {
  FLOWMON_INGRESS: 0,
  FLOWMON_EGRESS: 1,
} as const;
export type FlowmonDirection = (typeof FlowmonDirection)[keyof typeof FlowmonDirection];

/** `enum flowmon_reason` */
export const FlowmonReason = {
  FLOWMON_NOT_IP: 0,
  FLOWMON_UNPARSABLE: 1,
  FLOWMON_OTHER_PROTOCOL: 2,
  FLOWMON_NO_MATCH: 3,
  FLOWMON_OWN: 4,
  FLOWMON_INACTIVE: 5,
  FLOWMON_REASONS: 6,
} as const;
export type FlowmonReason = (typeof FlowmonReason)[keyof typeof FlowmonReason];

/** `enum flowmon_event` */
export const FlowmonEvent = {
  FLOWMON_UNREAD_SEGMENTS: 0,
  FLOWMON_UNNUMBERED: 1,
  FLOWMON_FORGOTTEN_BYTES: 2,
  FLOWMON_EVENTS: 3,
} as const;
export type FlowmonEvent = (typeof FlowmonEvent)[keyof typeof FlowmonEvent];

/** Everything in `flowmon.bpf.c`. */
export const flowmonSpec = {
  name: "flowmon",
  objectPath: objectPath(import.meta.url, "flowmon"),
  programs: {
    flowmon_egress: { type: "tc" },
    flowmon_ingress: { type: "tc" },
    flowmon_reap: { type: "tc" },
  },
  maps: {
    chunks: { type: "percpu_array", key: u32, value: flowmonChunk, maxEntries: 1, flags: 0 },
    events: { type: "percpu_array", key: u32, value: u64, maxEntries: 3, flags: 0 },
    flows: { type: "hash", key: flowmonKey, value: flowmonFlow, maxEntries: 65536, flags: 1 },
    newcomers: { type: "percpu_array", key: u32, value: flowmonNewcomer, maxEntries: 1, flags: 0 },
    overflow: { type: "percpu_array", key: u32, value: flowmonOverflow, maxEntries: 12, flags: 0 },
    own_addresses: { type: "hash", key: flowmonAddress, value: u8, maxEntries: 4096, flags: 1 },
    reasons: { type: "percpu_array", key: u32, value: u64, maxEntries: 6, flags: 0 },
    rests: { type: "array_of_maps", key: u32, inner: { type: "array", key: u32, value: u32, maxEntries: 1, flags: 0 }, maxEntries: 1, flags: 0 },
  },
  rodata: {
    config: { section: ".rodata", offset: 0, codec: flowmonConfig },
  },
  data: {
    flowmon_active: { section: ".bss", offset: 36976, codec: u64 },
    flowmon_turn: { section: ".bss", offset: 36984, codec: u64 },
    settings: { section: ".bss", offset: 0, codec: flowmonSettingsArray2 },
  },
} as const satisfies ObjectSpec;

export type FlowmonSpec = typeof flowmonSpec;
