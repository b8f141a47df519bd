// Generated from tcflows.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
import {
  array,
  be16,
  bytes,
  type Codec,
  objectPath,
  type ObjectSpec,
  u16,
  u32,
  u64,
  u8,
} from "@waymark/bpf-runtime/generated";

/** `struct tcflows_sum`, 24 octets */
export interface TcflowsSum {
  readonly packets: bigint;
  readonly l3_bytes: bigint;
  readonly l2_bytes: bigint;
}

export const tcflowsSum: Codec<TcflowsSum> = {
  size: 24,
  decode: (view, at) => ({
    packets: view.getBigUint64(at, true),
    l3_bytes: view.getBigUint64(at + 8, true),
    l2_bytes: view.getBigUint64(at + 16, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.packets, "tcflows_sum.packets");
    u64.encode(view, at + 8, value.l3_bytes, "tcflows_sum.l3_bytes");
    u64.encode(view, at + 16, value.l2_bytes, "tcflows_sum.l2_bytes");
  },
};

const bytes16 = bytes(16);

/** `struct tcflows_key`, 48 octets */
export interface TcflowsKey {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly source_port: number;
  readonly destination_port: number;
  readonly protocol: number;
  readonly direction: number;
  readonly vlan_id: number;
  readonly ether_type: number;
  readonly icmp_type: number;
  readonly icmp_code: number;
  readonly icmp_id: number;
  readonly version: number;
}

export const tcflowsKey: Codec<TcflowsKey> = {
  size: 48,
  decode: (view, at) => ({
    source: bytes16.decode(view, at),
    destination: bytes16.decode(view, at + 16),
    source_port: view.getUint16(at + 32),
    destination_port: view.getUint16(at + 34),
    protocol: view.getUint8(at + 36),
    direction: view.getUint8(at + 37),
    vlan_id: view.getUint16(at + 38, true),
    ether_type: view.getUint16(at + 40, true),
    icmp_type: view.getUint8(at + 42),
    icmp_code: view.getUint8(at + 43),
    icmp_id: view.getUint16(at + 44),
    version: view.getUint8(at + 46),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.source, "tcflows_key.source");
    bytes16.encode(view, at + 16, value.destination, "tcflows_key.destination");
    be16.encode(view, at + 32, value.source_port, "tcflows_key.source_port");
    be16.encode(view, at + 34, value.destination_port, "tcflows_key.destination_port");
    u8.encode(view, at + 36, value.protocol, "tcflows_key.protocol");
    u8.encode(view, at + 37, value.direction, "tcflows_key.direction");
    u16.encode(view, at + 38, value.vlan_id, "tcflows_key.vlan_id");
    u16.encode(view, at + 40, value.ether_type, "tcflows_key.ether_type");
    u8.encode(view, at + 42, value.icmp_type, "tcflows_key.icmp_type");
    u8.encode(view, at + 43, value.icmp_code, "tcflows_key.icmp_code");
    be16.encode(view, at + 44, value.icmp_id, "tcflows_key.icmp_id");
    u8.encode(view, at + 46, value.version, "tcflows_key.version");
  },
};

const bytes12 = bytes(12);

/** `struct tcflows_count`, 64 octets */
export interface TcflowsCount {
  readonly packets: bigint;
  readonly l3_bytes: bigint;
  readonly l2_bytes: bigint;
  readonly first_ns: bigint;
  readonly last_ns: bigint;
  readonly tcp_flags: number;
  readonly dscp: number;
  readonly macs: Uint8Array;
}

export const tcflowsCount: Codec<TcflowsCount> = {
  size: 64,
  decode: (view, at) => ({
    packets: view.getBigUint64(at, true),
    l3_bytes: view.getBigUint64(at + 8, true),
    l2_bytes: view.getBigUint64(at + 16, true),
    first_ns: view.getBigUint64(at + 24, true),
    last_ns: view.getBigUint64(at + 32, true),
    tcp_flags: view.getUint32(at + 40, true),
    dscp: view.getUint8(at + 44),
    macs: bytes12.decode(view, at + 48),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.packets, "tcflows_count.packets");
    u64.encode(view, at + 8, value.l3_bytes, "tcflows_count.l3_bytes");
    u64.encode(view, at + 16, value.l2_bytes, "tcflows_count.l2_bytes");
    u64.encode(view, at + 24, value.first_ns, "tcflows_count.first_ns");
    u64.encode(view, at + 32, value.last_ns, "tcflows_count.last_ns");
    u32.encode(view, at + 40, value.tcp_flags, "tcflows_count.tcp_flags");
    u8.encode(view, at + 44, value.dscp, "tcflows_count.dscp");
    bytes12.encode(view, at + 48, value.macs, "tcflows_count.macs");
  },
};

/** `struct tcflows_config`, 8 octets */
export interface TcflowsConfig {
  readonly l2_length: number;
  readonly rules: number;
}

export const tcflowsConfig: Codec<TcflowsConfig> = {
  size: 8,
  decode: (view, at) => ({
    l2_length: view.getUint32(at, true),
    rules: view.getUint32(at + 4, true),
  }),
  encode: (view, at, value) => {
    u32.encode(view, at, value.l2_length, "tcflows_config.l2_length");
    u32.encode(view, at + 4, value.rules, "tcflows_config.rules");
  },
};

const u64Array6 = array(u64, 6);

/** `struct tcflows_rule`, 96 octets */
export interface TcflowsRule {
  readonly value: readonly bigint[];
  readonly mask: readonly bigint[];
}

export const tcflowsRule: Codec<TcflowsRule> = {
  size: 96,
  decode: (view, at) => ({
    value: u64Array6.decode(view, at),
    mask: u64Array6.decode(view, at + 48),
  }),
  encode: (view, at, value) => {
    u64Array6.encode(view, at, value.value, "tcflows_rule.value");
    u64Array6.encode(view, at + 48, value.mask, "tcflows_rule.mask");
  },
};

const tcflowsRuleArray64 = array(tcflowsRule, 64);

/** `enum tcflows_direction` */
export const TcflowsDirection = {
  TCFLOWS_INGRESS: 1,
  TCFLOWS_EGRESS: 2,
} as const;
export type TcflowsDirection = (typeof TcflowsDirection)[keyof typeof TcflowsDirection];

/** Everything in `tcflows.bpf.c`. */
export const tcflowsSpec = {
  name: "tcflows",
  objectPath: objectPath(import.meta.url, "tcflows"),
  programs: {
    tcflows_egress: { type: "tc" },
    tcflows_ingress: { type: "tc" },
  },
  maps: {
    filtered: { type: "percpu_array", key: u32, value: tcflowsSum, maxEntries: 2, flags: 0 },
    overflow: { type: "percpu_array", key: u32, value: tcflowsSum, maxEntries: 514, flags: 0 },
    tables: { type: "array_of_maps", key: u32, inner: { type: "hash", key: tcflowsKey, value: tcflowsCount, maxEntries: 1, flags: 1 }, maxEntries: 1, flags: 0 },
  },
  rodata: {
    config: { section: ".rodata", offset: 0, codec: tcflowsConfig },
    rules: { section: ".rodata", offset: 8, codec: tcflowsRuleArray64 },
  },
  data: {
    tcflows_overflowed: { section: ".bss", offset: 0, codec: u32 },
  },
} as const satisfies ObjectSpec;

export type TcflowsSpec = typeof tcflowsSpec;
