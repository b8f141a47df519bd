// Generated from pping.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
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

const u64Array2 = array(u64, 2);

const bytes16 = bytes(16);

/** `struct pping_event`, 128 octets */
export interface PpingEvent {
  readonly flow_id: bigint;
  readonly at_ns: bigint;
  readonly rtt_ns: bigint;
  readonly min_rtt_ns: bigint;
  readonly packets: readonly bigint[];
  readonly l3_bytes: readonly bigint[];
  readonly payload_bytes: readonly bigint[];
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly source_port: number;
  readonly destination_port: number;
  readonly vlan_id: number;
  readonly confidence: number;
  readonly protocol: number;
  readonly type: number;
  readonly method: number;
  readonly local: number;
  readonly reason: number;
  readonly triggered_by: number;
  readonly direction: number;
}

export const ppingEvent: Codec<PpingEvent> = {
  size: 128,
  decode: (view, at) => ({
    flow_id: view.getBigUint64(at, true),
    at_ns: view.getBigUint64(at + 8, true),
    rtt_ns: view.getBigUint64(at + 16, true),
    min_rtt_ns: view.getBigUint64(at + 24, true),
    packets: u64Array2.decode(view, at + 32),
    l3_bytes: u64Array2.decode(view, at + 48),
    payload_bytes: u64Array2.decode(view, at + 64),
    source: bytes16.decode(view, at + 80),
    destination: bytes16.decode(view, at + 96),
    source_port: view.getUint16(at + 112),
    destination_port: view.getUint16(at + 114),
    vlan_id: view.getUint16(at + 116, true),
    confidence: view.getUint16(at + 118, true),
    protocol: view.getUint8(at + 120),
    type: view.getUint8(at + 121),
    method: view.getUint8(at + 122),
    local: view.getUint8(at + 123),
    reason: view.getUint8(at + 124),
    triggered_by: view.getUint8(at + 125),
    direction: view.getUint8(at + 126),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.flow_id, "pping_event.flow_id");
    u64.encode(view, at + 8, value.at_ns, "pping_event.at_ns");
    u64.encode(view, at + 16, value.rtt_ns, "pping_event.rtt_ns");
    u64.encode(view, at + 24, value.min_rtt_ns, "pping_event.min_rtt_ns");
    u64Array2.encode(view, at + 32, value.packets, "pping_event.packets");
    u64Array2.encode(view, at + 48, value.l3_bytes, "pping_event.l3_bytes");
    u64Array2.encode(view, at + 64, value.payload_bytes, "pping_event.payload_bytes");
    bytes16.encode(view, at + 80, value.source, "pping_event.source");
    bytes16.encode(view, at + 96, value.destination, "pping_event.destination");
    be16.encode(view, at + 112, value.source_port, "pping_event.source_port");
    be16.encode(view, at + 114, value.destination_port, "pping_event.destination_port");
    u16.encode(view, at + 116, value.vlan_id, "pping_event.vlan_id");
    u16.encode(view, at + 118, value.confidence, "pping_event.confidence");
    u8.encode(view, at + 120, value.protocol, "pping_event.protocol");
    u8.encode(view, at + 121, value.type, "pping_event.type");
    u8.encode(view, at + 122, value.method, "pping_event.method");
    u8.encode(view, at + 123, value.local, "pping_event.local");
    u8.encode(view, at + 124, value.reason, "pping_event.reason");
    u8.encode(view, at + 125, value.triggered_by, "pping_event.triggered_by");
    u8.encode(view, at + 126, value.direction, "pping_event.direction");
  },
};

/** `struct pping_key`, 40 octets */
export interface PpingKey {
  readonly low: Uint8Array;
  readonly high: Uint8Array;
  readonly low_port: number;
  readonly high_port: number;
  readonly vlan_id: number;
  readonly protocol: number;
}

export const ppingKey: Codec<PpingKey> = {
  size: 40,
  decode: (view, at) => ({
    low: bytes16.decode(view, at),
    high: bytes16.decode(view, at + 16),
    low_port: view.getUint16(at + 32),
    high_port: view.getUint16(at + 34),
    vlan_id: view.getUint16(at + 36, true),
    protocol: view.getUint8(at + 38),
  }),
  encode: (view, at, value) => {
    bytes16.encode(view, at, value.low, "pping_key.low");
    bytes16.encode(view, at + 16, value.high, "pping_key.high");
    be16.encode(view, at + 32, value.low_port, "pping_key.low_port");
    be16.encode(view, at + 34, value.high_port, "pping_key.high_port");
    u16.encode(view, at + 36, value.vlan_id, "pping_key.vlan_id");
    u8.encode(view, at + 38, value.protocol, "pping_key.protocol");
  },
};

/** `struct pping_direction`, 128 octets */
export interface PpingDirection {
  readonly packets: bigint;
  readonly l3_bytes: bigint;
  readonly payload_bytes: bigint;
  readonly stamped_ns: bigint;
  readonly min_rtt_ns: bigint;
  readonly smoothed_rtt_ns: bigint;
  readonly opened_ns: bigint;
  readonly edge_ns: bigint;
  readonly seen_ns: bigint;
  readonly gap_ns: bigint;
  readonly state: number;
  readonly last_id: number;
  readonly last_reply: number;
  readonly outstanding: number;
  readonly first_sequence: number;
  readonly next_sequence: number;
  readonly void_until: number;
  readonly last_ack: number;
  readonly run: number;
  readonly last_run: number;
  readonly opening_reason: number;
  readonly stamped: number;
  readonly sequence_known: number;
  readonly acked: number;
  readonly handshake: number;
  readonly locality: number;
  readonly spin: number;
  readonly edges: number;
}

export const ppingDirection: Codec<PpingDirection> = {
  size: 128,
  decode: (view, at) => ({
    packets: view.getBigUint64(at, true),
    l3_bytes: view.getBigUint64(at + 8, true),
    payload_bytes: view.getBigUint64(at + 16, true),
    stamped_ns: view.getBigUint64(at + 24, true),
    min_rtt_ns: view.getBigUint64(at + 32, true),
    smoothed_rtt_ns: view.getBigUint64(at + 40, true),
    opened_ns: view.getBigUint64(at + 48, true),
    edge_ns: view.getBigUint64(at + 56, true),
    seen_ns: view.getBigUint64(at + 64, true),
    gap_ns: view.getBigUint64(at + 72, true),
    state: view.getUint32(at + 80, true),
    last_id: view.getUint32(at + 84, true),
    last_reply: view.getUint32(at + 88, true),
    outstanding: view.getUint32(at + 92, true),
    first_sequence: view.getUint32(at + 96, true),
    next_sequence: view.getUint32(at + 100, true),
    void_until: view.getUint32(at + 104, true),
    last_ack: view.getUint32(at + 108, true),
    run: view.getUint32(at + 112, true),
    last_run: view.getUint32(at + 116, true),
    opening_reason: view.getUint8(at + 120),
    stamped: view.getUint8(at + 121),
    sequence_known: view.getUint8(at + 122),
    acked: view.getUint8(at + 123),
    handshake: view.getUint8(at + 124),
    locality: view.getUint8(at + 125),
    spin: view.getUint8(at + 126),
    edges: view.getUint8(at + 127),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.packets, "pping_direction.packets");
    u64.encode(view, at + 8, value.l3_bytes, "pping_direction.l3_bytes");
    u64.encode(view, at + 16, value.payload_bytes, "pping_direction.payload_bytes");
    u64.encode(view, at + 24, value.stamped_ns, "pping_direction.stamped_ns");
    u64.encode(view, at + 32, value.min_rtt_ns, "pping_direction.min_rtt_ns");
    u64.encode(view, at + 40, value.smoothed_rtt_ns, "pping_direction.smoothed_rtt_ns");
    u64.encode(view, at + 48, value.opened_ns, "pping_direction.opened_ns");
    u64.encode(view, at + 56, value.edge_ns, "pping_direction.edge_ns");
    u64.encode(view, at + 64, value.seen_ns, "pping_direction.seen_ns");
    u64.encode(view, at + 72, value.gap_ns, "pping_direction.gap_ns");
    u32.encode(view, at + 80, value.state, "pping_direction.state");
    u32.encode(view, at + 84, value.last_id, "pping_direction.last_id");
    u32.encode(view, at + 88, value.last_reply, "pping_direction.last_reply");
    u32.encode(view, at + 92, value.outstanding, "pping_direction.outstanding");
    u32.encode(view, at + 96, value.first_sequence, "pping_direction.first_sequence");
    u32.encode(view, at + 100, value.next_sequence, "pping_direction.next_sequence");
    u32.encode(view, at + 104, value.void_until, "pping_direction.void_until");
    u32.encode(view, at + 108, value.last_ack, "pping_direction.last_ack");
    u32.encode(view, at + 112, value.run, "pping_direction.run");
    u32.encode(view, at + 116, value.last_run, "pping_direction.last_run");
    u8.encode(view, at + 120, value.opening_reason, "pping_direction.opening_reason");
    u8.encode(view, at + 121, value.stamped, "pping_direction.stamped");
    u8.encode(view, at + 122, value.sequence_known, "pping_direction.sequence_known");
    u8.encode(view, at + 123, value.acked, "pping_direction.acked");
    u8.encode(view, at + 124, value.handshake, "pping_direction.handshake");
    u8.encode(view, at + 125, value.locality, "pping_direction.locality");
    u8.encode(view, at + 126, value.spin, "pping_direction.spin");
    u8.encode(view, at + 127, value.edges, "pping_direction.edges");
  },
};

const ppingDirectionArray2 = array(ppingDirection, 2);

/** `struct pping_flow`, 280 octets */
export interface PpingFlow {
  readonly id: bigint;
  readonly seen_ns: bigint;
  readonly direction: readonly PpingDirection[];
}

export const ppingFlow: Codec<PpingFlow> = {
  size: 280,
  decode: (view, at) => ({
    id: view.getBigUint64(at, true),
    seen_ns: view.getBigUint64(at + 8, true),
    direction: ppingDirectionArray2.decode(view, at + 16),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.id, "pping_flow.id");
    u64.encode(view, at + 8, value.seen_ns, "pping_flow.seen_ns");
    ppingDirectionArray2.encode(view, at + 16, value.direction, "pping_flow.direction");
  },
};

const u64Array35 = array(u64, 35);

/** `struct pping_fresh`, 280 octets */
export interface PpingFresh {
  readonly words: readonly bigint[];
}

export const ppingFresh: Codec<PpingFresh> = {
  size: 280,
  decode: (view, at) => ({
    words: u64Array35.decode(view, at),
  }),
  encode: (view, at, value) => {
    u64Array35.encode(view, at, value.words, "pping_fresh.words");
  },
};

/** `struct wm_wire`, 16 octets */
export interface WmWire {
  readonly packets: bigint;
  readonly l3_bytes: bigint;
}

export const wmWire: Codec<WmWire> = {
  size: 16,
  decode: (view, at) => ({
    packets: view.getBigUint64(at, true),
    l3_bytes: view.getBigUint64(at + 8, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.packets, "wm_wire.packets");
    u64.encode(view, at + 8, value.l3_bytes, "wm_wire.l3_bytes");
  },
};

/** `struct pping_packet`, 112 octets */
export interface PpingPacket {
  readonly key: PpingKey;
  readonly wire: WmWire;
  readonly now: bigint;
  readonly ifindex: number;
  readonly identifier: number;
  readonly answer: number;
  readonly payload: number;
  readonly segment: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly tsval: number;
  readonly family: number;
  readonly reversed: number;
  readonly method: number;
  readonly can_stamp: number;
  readonly can_answer: number;
  readonly wait_edge: number;
  readonly flags: number;
  readonly has_sack: number;
  readonly spin: number;
  readonly tos: number;
  readonly timestamps: number;
  readonly addressed: number;
}

export const ppingPacket: Codec<PpingPacket> = {
  size: 112,
  decode: (view, at) => ({
    key: ppingKey.decode(view, at),
    wire: wmWire.decode(view, at + 40),
    now: view.getBigUint64(at + 56, true),
    ifindex: view.getUint32(at + 64, true),
    identifier: view.getUint32(at + 68, true),
    answer: view.getUint32(at + 72, true),
    payload: view.getUint32(at + 76, true),
    segment: view.getUint32(at + 80, true),
    sequence: view.getUint32(at + 84, true),
    acknowledgement: view.getUint32(at + 88, true),
    tsval: view.getUint32(at + 92, true),
    family: view.getUint8(at + 96),
    reversed: view.getUint8(at + 97),
    method: view.getUint8(at + 98),
    can_stamp: view.getUint8(at + 99),
    can_answer: view.getUint8(at + 100),
    wait_edge: view.getUint8(at + 101),
    flags: view.getUint8(at + 102),
    has_sack: view.getUint8(at + 103),
    spin: view.getUint8(at + 104),
    tos: view.getUint8(at + 105),
    timestamps: view.getUint8(at + 106),
    addressed: view.getUint8(at + 107),
  }),
  encode: (view, at, value) => {
    ppingKey.encode(view, at, value.key, "pping_packet.key");
    wmWire.encode(view, at + 40, value.wire, "pping_packet.wire");
    u64.encode(view, at + 56, value.now, "pping_packet.now");
    u32.encode(view, at + 64, value.ifindex, "pping_packet.ifindex");
    u32.encode(view, at + 68, value.identifier, "pping_packet.identifier");
    u32.encode(view, at + 72, value.answer, "pping_packet.answer");
    u32.encode(view, at + 76, value.payload, "pping_packet.payload");
    u32.encode(view, at + 80, value.segment, "pping_packet.segment");
    u32.encode(view, at + 84, value.sequence, "pping_packet.sequence");
    u32.encode(view, at + 88, value.acknowledgement, "pping_packet.acknowledgement");
    u32.encode(view, at + 92, value.tsval, "pping_packet.tsval");
    u8.encode(view, at + 96, value.family, "pping_packet.family");
    u8.encode(view, at + 97, value.reversed, "pping_packet.reversed");
    u8.encode(view, at + 98, value.method, "pping_packet.method");
    u8.encode(view, at + 99, value.can_stamp, "pping_packet.can_stamp");
    u8.encode(view, at + 100, value.can_answer, "pping_packet.can_answer");
    u8.encode(view, at + 101, value.wait_edge, "pping_packet.wait_edge");
    u8.encode(view, at + 102, value.flags, "pping_packet.flags");
    u8.encode(view, at + 103, value.has_sack, "pping_packet.has_sack");
    u8.encode(view, at + 104, value.spin, "pping_packet.spin");
    u8.encode(view, at + 105, value.tos, "pping_packet.tos");
    u8.encode(view, at + 106, value.timestamps, "pping_packet.timestamps");
    u8.encode(view, at + 107, value.addressed, "pping_packet.addressed");
  },
};

/** `struct pping_prefix`, 16 octets */
export interface PpingPrefix {
  readonly bits: bigint;
  readonly family: number;
  readonly other: number;
}

export const ppingPrefix: Codec<PpingPrefix> = {
  size: 16,
  decode: (view, at) => ({
    bits: view.getBigUint64(at, true),
    family: view.getUint32(at + 8, true),
    other: view.getUint32(at + 12, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.bits, "pping_prefix.bits");
    u32.encode(view, at + 8, value.family, "pping_prefix.family");
    u32.encode(view, at + 12, value.other, "pping_prefix.other");
  },
};

/** `struct pping_amount`, 16 octets */
export interface PpingAmount {
  readonly packets: bigint;
  readonly l3_bytes: bigint;
}

export const ppingAmount: Codec<PpingAmount> = {
  size: 16,
  decode: (view, at) => ({
    packets: view.getBigUint64(at, true),
    l3_bytes: view.getBigUint64(at + 8, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.packets, "pping_amount.packets");
    u64.encode(view, at + 8, value.l3_bytes, "pping_amount.l3_bytes");
  },
};

const ppingAmountArray3 = array(ppingAmount, 3);

/** `struct pping_prefix_traffic`, 96 octets */
export interface PpingPrefixTraffic {
  readonly received: readonly PpingAmount[];
  readonly sent: readonly PpingAmount[];
}

export const ppingPrefixTraffic: Codec<PpingPrefixTraffic> = {
  size: 96,
  decode: (view, at) => ({
    received: ppingAmountArray3.decode(view, at),
    sent: ppingAmountArray3.decode(view, at + 48),
  }),
  encode: (view, at, value) => {
    ppingAmountArray3.encode(view, at, value.received, "pping_prefix_traffic.received");
    ppingAmountArray3.encode(view, at + 48, value.sent, "pping_prefix_traffic.sent");
  },
};

/** `struct pping_stamp_key`, 48 octets */
export interface PpingStampKey {
  readonly flow: PpingKey;
  readonly identifier: number;
  readonly generation: number;
  readonly method: number;
  readonly direction: number;
}

export const ppingStampKey: Codec<PpingStampKey> = {
  size: 48,
  decode: (view, at) => ({
    flow: ppingKey.decode(view, at),
    identifier: view.getUint32(at + 40, true),
    generation: view.getUint16(at + 44, true),
    method: view.getUint8(at + 46),
    direction: view.getUint8(at + 47),
  }),
  encode: (view, at, value) => {
    ppingKey.encode(view, at, value.flow, "pping_stamp_key.flow");
    u32.encode(view, at + 40, value.identifier, "pping_stamp_key.identifier");
    u16.encode(view, at + 44, value.generation, "pping_stamp_key.generation");
    u8.encode(view, at + 46, value.method, "pping_stamp_key.method");
    u8.encode(view, at + 47, value.direction, "pping_stamp_key.direction");
  },
};

const u64Array10 = array(u64, 10);

const u64Array9 = array(u64, 9);

const ppingAmountArray5 = array(ppingAmount, 5);

const u64Array4 = array(u64, 4);

const u64Array256 = array(u64, 256);

/** `struct pping_totals`, 2312 octets */
export interface PpingTotals {
  readonly packets: readonly bigint[];
  readonly happenings: readonly bigint[];
  readonly protocols: readonly PpingAmount[];
  readonly ecn: readonly bigint[];
  readonly other_protocols: readonly bigint[];
}

export const ppingTotals: Codec<PpingTotals> = {
  size: 2312,
  decode: (view, at) => ({
    packets: u64Array10.decode(view, at),
    happenings: u64Array9.decode(view, at + 80),
    protocols: ppingAmountArray5.decode(view, at + 152),
    ecn: u64Array4.decode(view, at + 232),
    other_protocols: u64Array256.decode(view, at + 264),
  }),
  encode: (view, at, value) => {
    u64Array10.encode(view, at, value.packets, "pping_totals.packets");
    u64Array9.encode(view, at + 80, value.happenings, "pping_totals.happenings");
    ppingAmountArray5.encode(view, at + 152, value.protocols, "pping_totals.protocols");
    u64Array4.encode(view, at + 232, value.ecn, "pping_totals.ecn");
    u64Array256.encode(view, at + 264, value.other_protocols, "pping_totals.other_protocols");
  },
};

/** `struct pping_config`, 48 octets */
export interface PpingConfig {
  readonly rate_limit_ns: bigint;
  readonly rtt_rate: bigint;
  readonly ipv6_prefix_mask: bigint;
  readonly ipv4_prefix_mask: number;
  readonly l2_length: number;
  readonly smoothed: number;
  readonly tcp: number;
  readonly icmp: number;
  readonly sequence: number;
  readonly handshake: number;
  readonly dns: number;
  readonly quic: number;
  readonly include_local: number;
  readonly include_syn: number;
  readonly vlan_in_key: number;
  readonly aggregate: number;
  readonly events: number;
}

export const ppingConfig: Codec<PpingConfig> = {
  size: 48,
  decode: (view, at) => ({
    rate_limit_ns: view.getBigUint64(at, true),
    rtt_rate: view.getBigUint64(at + 8, true),
    ipv6_prefix_mask: view.getBigUint64(at + 16, true),
    ipv4_prefix_mask: view.getUint32(at + 24, true),
    l2_length: view.getUint32(at + 28, true),
    smoothed: view.getUint8(at + 32),
    tcp: view.getUint8(at + 33),
    icmp: view.getUint8(at + 34),
    sequence: view.getUint8(at + 35),
    handshake: view.getUint8(at + 36),
    dns: view.getUint8(at + 37),
    quic: view.getUint8(at + 38),
    include_local: view.getUint8(at + 39),
    include_syn: view.getUint8(at + 40),
    vlan_in_key: view.getUint8(at + 41),
    aggregate: view.getUint8(at + 42),
    events: view.getUint8(at + 43),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.rate_limit_ns, "pping_config.rate_limit_ns");
    u64.encode(view, at + 8, value.rtt_rate, "pping_config.rtt_rate");
    u64.encode(view, at + 16, value.ipv6_prefix_mask, "pping_config.ipv6_prefix_mask");
    u32.encode(view, at + 24, value.ipv4_prefix_mask, "pping_config.ipv4_prefix_mask");
    u32.encode(view, at + 28, value.l2_length, "pping_config.l2_length");
    u8.encode(view, at + 32, value.smoothed, "pping_config.smoothed");
    u8.encode(view, at + 33, value.tcp, "pping_config.tcp");
    u8.encode(view, at + 34, value.icmp, "pping_config.icmp");
    u8.encode(view, at + 35, value.sequence, "pping_config.sequence");
    u8.encode(view, at + 36, value.handshake, "pping_config.handshake");
    u8.encode(view, at + 37, value.dns, "pping_config.dns");
    u8.encode(view, at + 38, value.quic, "pping_config.quic");
    u8.encode(view, at + 39, value.include_local, "pping_config.include_local");
    u8.encode(view, at + 40, value.include_syn, "pping_config.include_syn");
    u8.encode(view, at + 41, value.vlan_in_key, "pping_config.vlan_in_key");
    u8.encode(view, at + 42, value.aggregate, "pping_config.aggregate");
    u8.encode(view, at + 43, value.events, "pping_config.events");
  },
};

/** `enum pping_traffic` */
export const PpingTraffic = {
  PPING_TRAFFIC_TS: 0,
  PPING_TRAFFIC_NO_TS: 1,
  PPING_TRAFFIC_OTHER: 2,
  PPING_TRAFFICS: 3,
} as const;
export type PpingTraffic = (typeof PpingTraffic)[keyof typeof PpingTraffic];

/** `enum pping_protocol_class` */
export const PpingProtocolClass = {
  PPING_CLASS_NOT_IP: 0,
  PPING_CLASS_TCP: 1,
  PPING_CLASS_UDP: 2,
  PPING_CLASS_ICMP: 3,
  PPING_CLASS_ICMPV6: 4,
  PPING_CLASSES: 5,
} as const;
export type PpingProtocolClass = (typeof PpingProtocolClass)[keyof typeof PpingProtocolClass];

/** `enum pping_reason` */
export const PpingReason = {
  PPING_TRACKED: 0,
  PPING_NOT_IP: 1,
  PPING_UNPARSABLE: 2,
  PPING_FRAGMENT: 3,
  PPING_OTHER_PROTOCOL: 4,
  PPING_NO_IDENTIFIER: 5,
  PPING_SYN_SKIPPED: 6,
  PPING_NOT_OPENED: 7,
  PPING_FLOW_TABLE_FULL: 8,
  PPING_FLOW_NO_MEMORY: 9,
  PPING_REASONS: 10,
} as const;
export type PpingReason = (typeof PpingReason)[keyof typeof PpingReason];

/** `enum pping_happening` */
export const PpingHappening = {
  PPING_STAMPS: 0,
  PPING_STAMP_TABLE_FULL: 1,
  PPING_STAMPS_EXPIRED: 2,
  PPING_STAMPS_VOID: 3,
  PPING_SAMPLES: 4,
  PPING_EVENTS_LOST: 5,
  PPING_FLOWS_CREATED: 6,
  PPING_FLOWS_REMOVED: 7,
  PPING_PREFIX_TABLE_FULL: 8,
  PPING_HAPPENINGS: 9,
} as const;
export type PpingHappening = (typeof PpingHappening)[keyof typeof PpingHappening];

/** `enum pping_method` */
export const PpingMethod = {
  PPING_NO_METHOD: 0,
  PPING_TCP_TIMESTAMP: 1,
  PPING_TCP_SEQUENCE: 2,
  PPING_TCP_HANDSHAKE: 3,
  PPING_ICMP_ECHO: 4,
  PPING_DNS: 5,
  PPING_QUIC_SPIN: 6,
} as const;
export type PpingMethod = (typeof PpingMethod)[keyof typeof PpingMethod];

/** `enum pping_event_type` */
export const PpingEventType = {
  PPING_EVENT_RTT: 1,
  PPING_EVENT_OPENING: 2,
  PPING_EVENT_CLOSING: 3,
  PPING_EVENT_REMOVED: 4,
} as const;
export type PpingEventType = (typeof PpingEventType)[keyof typeof PpingEventType];

/** `enum pping_event_reason` */
export const PpingEventReason = {
  PPING_REASON_NONE: 0,
  PPING_REASON_SYN: 1,
  PPING_REASON_SYN_ACK: 2,
  PPING_REASON_FIRST_PACKET: 3,
  PPING_REASON_FIN: 4,
  PPING_REASON_RST: 5,
  PPING_REASON_TIMEOUT: 6,
} as const;
export type PpingEventReason = (typeof PpingEventReason)[keyof typeof PpingEventReason];

/** `enum pping_event_source` */
export const PpingEventSource = {
  PPING_SOURCE_SRC: 0,
  PPING_SOURCE_DEST: 1,
  PPING_SOURCE_SWEEP: 2,
} as const;
export type PpingEventSource = (typeof PpingEventSource)[keyof typeof PpingEventSource];

/** `enum pping_state` */
export const PpingState = {
  PPING_EMPTY: 0,
  PPING_WAIT_OPEN: 1,
  PPING_OPEN: 2,
  PPING_CLOSED: 3,
} as const;
export type PpingState = (typeof PpingState)[keyof typeof PpingState];

/** Everything in `pping.bpf.c`. */
export const ppingSpec = {
  name: "pping",
  objectPath: objectPath(import.meta.url, "pping"),
  programs: {
    pping_egress: { type: "tc" },
    pping_ingress: { type: "tc" },
    pping_sweep_flows: { type: "tc" },
    pping_sweep_stamps: { type: "tc" },
    pping_xdp: { type: "xdp" },
  },
  maps: {
    events: { type: "ringbuf", record: ppingEvent, maxEntries: 16777216, flags: 0 },
    flows: { type: "hash", key: ppingKey, value: ppingFlow, maxEntries: 131072, flags: 1 },
    fresh: { type: "percpu_array", key: u32, value: ppingFresh, maxEntries: 1, flags: 0 },
    packets: { type: "percpu_array", key: u32, value: ppingPacket, maxEntries: 1, flags: 0 },
    prefixes: { type: "array_of_maps", key: u32, inner: { type: "hash", key: ppingPrefix, value: ppingPrefixTraffic, maxEntries: 16384, flags: 1 }, maxEntries: 1, flags: 0 },
    stamps: { type: "hash", key: ppingStampKey, value: u64, maxEntries: 131072, flags: 0 },
    totals: { type: "percpu_array", key: u32, value: ppingTotals, maxEntries: 1, flags: 0 },
  },
  rodata: {
    config: { section: ".rodata", offset: 0, codec: ppingConfig },
  },
  data: {
    pping_last_flow: { section: ".bss", offset: 8, codec: u64 },
    pping_removed: { section: ".bss", offset: 16, codec: u32 },
    pping_tick: { section: ".bss", offset: 0, codec: u64 },
  },
} as const satisfies ObjectSpec;

export type PpingSpec = typeof ppingSpec;
