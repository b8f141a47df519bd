import { distributionColumns } from "./distribution-columns.ts";
import { FLOW_COLUMNS } from "./flow-columns.ts";
import type { KindTable } from "./kind-table.ts";

/**
 * What pping reports: summaries of a flow or a prefix, the samples of one flow, method and side in one report as
 * arrays, and events of flows.
 */
export const RTT_TABLE: KindTable = {
  name: "rtt_record",
  columns: {
    ...FLOW_COLUMNS,
    prefix: "LowCardinality(String)",
    method: "UInt8 CODEC(ZSTD)",
    local: "Bool",
    ...distributionColumns("rtt"),
    sent_packets: "UInt64 CODEC(ZSTD)",
    sent_l3_bytes: "UInt64 CODEC(ZSTD)",
    received_packets: "UInt64 CODEC(ZSTD)",
    received_l3_bytes: "UInt64 CODEC(ZSTD)",
    measurable_packets: "UInt64 CODEC(ZSTD)",
    sample_at_ns: "Array(UInt64) CODEC(ZSTD)",
    sample_rtt_ns: "Array(UInt64) CODEC(ZSTD)",
    sample_confidence_permille: "Array(UInt16) CODEC(ZSTD)",
    event: "UInt8 CODEC(ZSTD)",
    reason: "LowCardinality(String)",
    triggered_by: "LowCardinality(String)",
  },
};
