/** Columns of which report a row is; that is what deduplication reads back. */
export const HEADER = `
  agent LowCardinality(String), service LowCardinality(String), role LowCardinality(String),
  interface LowCardinality(String), host LowCardinality(String), version LowCardinality(String),
  boot_id LowCardinality(String), kernel_boot_id LowCardinality(String),
  sequence UInt64 CODEC(Delta, ZSTD),
  sent_ns UInt64 CODEC(Delta, ZSTD), arrived_ns UInt64 CODEC(Delta, ZSTD), stored_ns UInt64 CODEC(Delta, ZSTD),
  clock_offset_ns Int64 CODEC(ZSTD), synchronised Bool, trusted Bool,
  max_error_ns UInt64 CODEC(ZSTD), estimated_error_ns UInt64 CODEC(ZSTD), tai_offset_s Int32 CODEC(ZSTD),
  leading Bool, counters Map(LowCardinality(String), UInt64) CODEC(ZSTD)`;

/** What an agent says of itself with every report; an argument of aggregate functions. */
export const FACTS =
  "(host, version, kernel_boot_id, synchronised, trusted, max_error_ns, estimated_error_ns, clock_offset_ns, tai_offset_s)";

/** Columns of a report's header in the order in which rows carry them; `stored_ns` comes last in every row. */
export const HEADER_COLUMNS = [
  "agent",
  "service",
  "role",
  "interface",
  "host",
  "version",
  "boot_id",
  "kernel_boot_id",
  "sequence",
  "sent_ns",
  "arrived_ns",
  "clock_offset_ns",
  "synchronised",
  "trusted",
  "max_error_ns",
  "estimated_error_ns",
  "tai_offset_s",
] as const;
