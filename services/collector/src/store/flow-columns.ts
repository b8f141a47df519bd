/**
 * Columns of a FlowKey. IPv4 addresses are IPv4-mapped; both are `::` where `addressed` is false, which is not the same
 * as a packet from `::`.
 */
export const FLOW_COLUMNS = {
  addressed: "Bool",
  source_address: "IPv6 CODEC(ZSTD)",
  destination_address: "IPv6 CODEC(ZSTD)",
  protocol: "UInt8 CODEC(ZSTD)",
  source_port: "UInt16 CODEC(ZSTD)",
  destination_port: "UInt16 CODEC(ZSTD)",
  icmp_type: "UInt8 CODEC(ZSTD)",
  icmp_code: "UInt8 CODEC(ZSTD)",
  icmp_id: "UInt16 CODEC(ZSTD)",
  vlan_id: "UInt16 CODEC(ZSTD)",
  ether_type: "UInt16 CODEC(ZSTD)",
  flow_interface: "LowCardinality(String)",
  direction: "UInt8 CODEC(ZSTD)",
  overflow: "Bool",
} as const;

/** The columns that tell flows apart, as SQL. */
export const FLOW_KEY = Object.keys(FLOW_COLUMNS).join(", ");
