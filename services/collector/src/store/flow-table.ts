import { FLOW_COLUMNS, FLOW_ID } from "./flow-columns.ts";
import type { KindTable } from "./kind-table.ts";

/** What tcflows reports. `from_ns` and `to_ns` are the first and the last packet of the record. */
export const FLOW_TABLE: KindTable = {
  name: "flow_record",
  columns: {
    ...FLOW_COLUMNS,
    packets: "UInt64 CODEC(ZSTD)",
    l3_bytes: "UInt64 CODEC(ZSTD)",
    l2_bytes: "UInt64 CODEC(ZSTD)",
    flow_start_ns: "UInt64 CODEC(Delta, ZSTD)",
    tcp_flags: "UInt16 CODEC(ZSTD)",
    source_mac: "LowCardinality(String)",
    destination_mac: "LowCardinality(String)",
    dscp: "UInt8 CODEC(ZSTD)",
    end_reason: "UInt8 CODEC(ZSTD)",
    duplicate: "Bool",
    clock_stepped: "Bool",
  },
  computed: FLOW_ID,
};
