// Generated from altmark.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
import {
  array,
  be16,
  bytes,
  type Codec,
  objectPath,
  type ObjectSpec,
  s64,
  u32,
  u64,
  u8,
} from "@waymark/bpf-runtime/generated";

/** `struct altmark_control`, 24 octets */
export interface AltmarkControl {
  readonly clock_offset_ns: bigint;
  readonly lease_until_ns: bigint;
  readonly tai_minus_monotonic_ns: bigint;
}

export const altmarkControl: Codec<AltmarkControl> = {
  size: 24,
  decode: (view, at) => ({
    clock_offset_ns: view.getBigInt64(at, true),
    lease_until_ns: view.getBigUint64(at + 8, true),
    tai_minus_monotonic_ns: view.getBigInt64(at + 16, true),
  }),
  encode: (view, at, value) => {
    s64.encode(view, at, value.clock_offset_ns, "altmark_control.clock_offset_ns");
    u64.encode(view, at + 8, value.lease_until_ns, "altmark_control.lease_until_ns");
    s64.encode(view, at + 16, value.tai_minus_monotonic_ns, "altmark_control.tai_minus_monotonic_ns");
  },
};

/** `struct altmark_count`, 32 octets */
export interface AltmarkCount {
  readonly packets: bigint;
  readonly l3_bytes: bigint;
  readonly fragments: bigint;
  readonly out_of_guard: bigint;
}

export const altmarkCount: Codec<AltmarkCount> = {
  size: 32,
  decode: (view, at) => ({
    packets: view.getBigUint64(at, true),
    l3_bytes: view.getBigUint64(at + 8, true),
    fragments: view.getBigUint64(at + 16, true),
    out_of_guard: view.getBigUint64(at + 24, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.packets, "altmark_count.packets");
    u64.encode(view, at + 8, value.l3_bytes, "altmark_count.l3_bytes");
    u64.encode(view, at + 16, value.fragments, "altmark_count.fragments");
    u64.encode(view, at + 24, value.out_of_guard, "altmark_count.out_of_guard");
  },
};

const bytes16 = bytes(16);

/** `struct altmark_flow_key`, 40 octets */
export interface AltmarkFlowKey {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly source_port: number;
  readonly destination_port: number;
  readonly protocol: number;
  readonly rule: number;
}

export const altmarkFlowKey: Codec<AltmarkFlowKey> = {
  size: 40,
  decode: (view, at) => ({
    source: bytes16.decode(view, at),
    destination: bytes16.decode(view, at + 16),
    source_port: view.getUint16(at + 32),
    destination_port: view.getUint16(at + 34),
    protocol: view.getUint8(at + 36),
    rule: view.getUint8(at + 37),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.source, "altmark_flow_key.source");
    bytes16.encode(view, at + 16, value.destination, "altmark_flow_key.destination");
    be16.encode(view, at + 32, value.source_port, "altmark_flow_key.source_port");
    be16.encode(view, at + 34, value.destination_port, "altmark_flow_key.destination_port");
    u8.encode(view, at + 36, value.protocol, "altmark_flow_key.protocol");
    u8.encode(view, at + 37, value.rule, "altmark_flow_key.rule");
  },
};

/** `struct altmark_endpoint`, 24 octets */
export interface AltmarkEndpoint {
  readonly address: Uint8Array;
  readonly port: number;
}

export const altmarkEndpoint: Codec<AltmarkEndpoint> = {
  size: 24,
  decode: (view, at) => ({
    address: bytes16.decode(view, at),
    port: view.getUint16(at + 16),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.address, "altmark_endpoint.address");
    be16.encode(view, at + 16, value.port, "altmark_endpoint.port");
  },
};

const altmarkEndpointArray8 = array(altmarkEndpoint, 8);

/** `struct altmark_own_reports`, 200 octets */
export interface AltmarkOwnReports {
  readonly count: bigint;
  readonly endpoints: readonly AltmarkEndpoint[];
}

export const altmarkOwnReports: Codec<AltmarkOwnReports> = {
  size: 200,
  decode: (view, at) => ({
    count: view.getBigUint64(at, true),
    endpoints: altmarkEndpointArray8.decode(view, at + 8),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.count, "altmark_own_reports.count");
    altmarkEndpointArray8.encode(view, at + 8, value.endpoints, "altmark_own_reports.endpoints");
  },
};

/** `struct altmark_sample`, 16 octets */
export interface AltmarkSample {
  readonly destination: Uint8Array;
}

export const altmarkSample: Codec<AltmarkSample> = {
  size: 16,
  decode: (view, at) => ({
    destination: bytes16.decode(view, at),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.destination, "altmark_sample.destination");
  },
};

/** `struct altmark_config`, 32 octets */
export interface AltmarkConfig {
  readonly interval_ns: bigint;
  readonly guard_ns: bigint;
  readonly l2_length: number;
  readonly slots: number;
  readonly rules: number;
  readonly per_flow: number;
  readonly leased: number;
  readonly keep_marks: number;
  readonly is_sink: number;
}

export const altmarkConfig: Codec<AltmarkConfig> = {
  size: 32,
  decode: (view, at) => ({
    interval_ns: view.getBigUint64(at, true),
    guard_ns: view.getBigUint64(at + 8, true),
    l2_length: view.getUint32(at + 16, true),
    slots: view.getUint32(at + 20, true),
    rules: view.getUint32(at + 24, true),
    per_flow: view.getUint8(at + 28),
    leased: view.getUint8(at + 29),
    keep_marks: view.getUint8(at + 30),
    is_sink: view.getUint8(at + 31),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.interval_ns, "altmark_config.interval_ns");
    u64.encode(view, at + 8, value.guard_ns, "altmark_config.guard_ns");
    u32.encode(view, at + 16, value.l2_length, "altmark_config.l2_length");
    u32.encode(view, at + 20, value.slots, "altmark_config.slots");
    u32.encode(view, at + 24, value.rules, "altmark_config.rules");
    u8.encode(view, at + 28, value.per_flow, "altmark_config.per_flow");
    u8.encode(view, at + 29, value.leased, "altmark_config.leased");
    u8.encode(view, at + 30, value.keep_marks, "altmark_config.keep_marks");
    u8.encode(view, at + 31, value.is_sink, "altmark_config.is_sink");
  },
};

const u64Array4 = array(u64, 4);

/** `struct altmark_rule_transport`, 8 octets */
export interface AltmarkRuleTransport {
  readonly source_port: number;
  readonly destination_port: number;
  readonly protocol: number;
  readonly has_ports: number;
  readonly version: number;
}

export const altmarkRuleTransport: Codec<AltmarkRuleTransport> = {
  size: 8,
  decode: (view, at) => ({
    source_port: view.getUint16(at),
    destination_port: view.getUint16(at + 2),
    protocol: view.getUint8(at + 4),
    has_ports: view.getUint8(at + 5),
    version: view.getUint8(at + 6),
  }),
  encode: (view, at, value) => {
    be16.encode(view, at, value.source_port, "altmark_rule_transport.source_port");
    be16.encode(view, at + 2, value.destination_port, "altmark_rule_transport.destination_port");
    u8.encode(view, at + 4, value.protocol, "altmark_rule_transport.protocol");
    u8.encode(view, at + 5, value.has_ports, "altmark_rule_transport.has_ports");
    u8.encode(view, at + 6, value.version, "altmark_rule_transport.version");
  },
};

/** `struct altmark_rule`, 96 octets */
export interface AltmarkRule {
  readonly addresses4: bigint;
  readonly addresses4_mask: bigint;
  readonly addresses6: readonly bigint[];
  readonly addresses6_mask: readonly bigint[];
  readonly transport: AltmarkRuleTransport;
  readonly transport_mask: AltmarkRuleTransport;
}

export const altmarkRule: Codec<AltmarkRule> = {
  size: 96,
  decode: (view, at) => ({
    addresses4: view.getBigUint64(at, true),
    addresses4_mask: view.getBigUint64(at + 8, true),
    addresses6: u64Array4.decode(view, at + 16),
    addresses6_mask: u64Array4.decode(view, at + 48),
    transport: altmarkRuleTransport.decode(view, at + 80),
    transport_mask: altmarkRuleTransport.decode(view, at + 88),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.addresses4, "altmark_rule.addresses4");
    u64.encode(view, at + 8, value.addresses4_mask, "altmark_rule.addresses4_mask");
    u64Array4.encode(view, at + 16, value.addresses6, "altmark_rule.addresses6");
    u64Array4.encode(view, at + 48, value.addresses6_mask, "altmark_rule.addresses6_mask");
    altmarkRuleTransport.encode(view, at + 80, value.transport, "altmark_rule.transport");
    altmarkRuleTransport.encode(view, at + 88, value.transport_mask, "altmark_rule.transport_mask");
  },
};

const altmarkRuleArray64 = array(altmarkRule, 64);

/** `enum altmark_reason` */
export const AltmarkReason = {
  ALTMARK_DSCP_IN_USE: 0,
  ALTMARK_LOCAL_SCOPE: 1,
  ALTMARK_OWN_REPORT: 2,
  ALTMARK_NO_MATCH: 3,
  ALTMARK_UNMATCHED: 4,
  ALTMARK_UNMARKED: 5,
  ALTMARK_NOT_IP: 6,
  ALTMARK_UNPARSABLE: 7,
  ALTMARK_INACTIVE: 8,
  ALTMARK_SLOT_BUSY: 9,
  ALTMARK_LEASE_EXPIRED: 10,
  ALTMARK_MARK_FAILED: 11,
  ALTMARK_REASONS: 12,
} as const;
export type AltmarkReason = (typeof AltmarkReason)[keyof typeof AltmarkReason];

/** `enum altmark_phase` */
export const AltmarkPhase = {
  ALTMARK_PHASE_EARLY: 0,
  ALTMARK_PHASE_FIRST_HALF: 1,
  ALTMARK_PHASE_SECOND_HALF: 2,
  ALTMARK_PHASE_LATE: 3,
} as const;
export type AltmarkPhase = (typeof AltmarkPhase)[keyof typeof AltmarkPhase];

/** Everything in `altmark.bpf.c`. */
export const altmarkSpec = {
  name: "altmark",
  objectPath: objectPath(import.meta.url, "altmark"),
  programs: {
    altmark_arm: { type: "tc" },
    altmark_sink: { type: "tc" },
    altmark_source: { type: "tc" },
  },
  maps: {
    control: { type: "array", key: u32, value: altmarkControl, maxEntries: 1, flags: 0 },
    counts: { type: "percpu_array", key: u32, value: altmarkCount, maxEntries: 64, flags: 0 },
    flow_tables: { type: "array_of_maps", key: u32, inner: { type: "hash", key: altmarkFlowKey, value: altmarkCount, maxEntries: 1, flags: 1 }, maxEntries: 64, flags: 0 },
    own_reports: { type: "array", key: u32, value: altmarkOwnReports, maxEntries: 1, flags: 0 },
    reasons: { type: "percpu_array", key: u32, value: u64, maxEntries: 12, flags: 0 },
    samples: { type: "array", key: u32, value: altmarkSample, maxEntries: 64, flags: 0 },
    slots: { type: "array", key: u32, value: u64, maxEntries: 64, flags: 0 },
    ticks: { type: "array", key: u32, value: bytes16, maxEntries: 1, flags: 0 },
  },
  rodata: {
    config: { section: ".rodata", offset: 0, codec: altmarkConfig },
    rules: { section: ".rodata", offset: 32, codec: altmarkRuleArray64 },
  },
  data: {
    altmark_last_block: { section: ".bss", offset: 8, codec: u64 },
    altmark_now: { section: ".bss", offset: 0, codec: u64 },
    altmark_sample_wanted: { section: ".bss", offset: 16, codec: u64 },
    altmark_samples: { section: ".bss", offset: 56, codec: u64 },
  },
} as const satisfies ObjectSpec;

export type AltmarkSpec = typeof altmarkSpec;
