import { FLOW_COLUMNS, FLOW_ID } from "./flow-columns.ts";
import type { KindTable } from "./kind-table.ts";

/** What flowmon reports: one flow in one interval. */
export const THROUGHPUT_TABLE: KindTable = {
  name: "throughput_record",
  columns: {
    ...FLOW_COLUMNS,
    packets: "UInt64 CODEC(ZSTD)",
    l3_bytes: "UInt64 CODEC(ZSTD)",
    payload_bytes: "UInt64 CODEC(ZSTD)",
    goodput_bytes: "UInt64 CODEC(ZSTD)",
    gaps: "UInt64 CODEC(ZSTD)",
    gap_mean_ns: "Nullable(Float64) CODEC(ZSTD)",
    gap_stddev_ns: "Nullable(Float64) CODEC(ZSTD)",
    gaps_in_super_packets: "UInt64 CODEC(ZSTD)",
    rtp_jitter_ns: "Nullable(UInt64) CODEC(ZSTD)",
    burst_1ms_l3_bytes: "Nullable(UInt64) CODEC(ZSTD)",
    burst_10ms_l3_bytes: "Nullable(UInt64) CODEC(ZSTD)",
    sequenced: "Bool",
    current_sequence: "UInt64 CODEC(ZSTD)",
    sequence_received: "UInt64 CODEC(ZSTD)",
    reverse_errors: "UInt64 CODEC(ZSTD)",
    small_errors: "UInt64 CODEC(ZSTD)",
    big_errors: "UInt64 CODEC(ZSTD)",
    sequence_duplicates: "UInt64 CODEC(ZSTD)",
    sequence_reordered: "UInt64 CODEC(ZSTD)",
    sequence_lost: "UInt64 CODEC(ZSTD)",
    loss_episodes: "UInt64 CODEC(ZSTD)",
    sequence_recovered: "UInt64 CODEC(ZSTD)",
    loss_episodes_change: "Int64 CODEC(ZSTD)",
    sequence_restarts: "UInt64 CODEC(ZSTD)",
  },
  computed: FLOW_ID,
};
