import { FACTS, HEADER, HEADER_COLUMNS } from "./header.ts";
import { addColumns, createKindTable, KIND_TABLE_ORDER } from "./kind-table.ts";
import { KIND_TABLES } from "./kind-tables.ts";
import { lossView } from "./loss-view.ts";
import type { Store } from "./store.ts";

const DAY_S = 86_400;

const HOUR = "intDiv(start_ns, 3600000000000)";

// A loss record is one part of one block of one agent; its flows are arrays, so that a report's facts are stored
// once. A report without blocks is one record with an empty path. The projection answers "since when, until when"
// per agent and hour without reading the records; it is part of the same atomic insert. "leading" is a report's
// first row; it alone carries the counters.
const LOSS_RECORD = `CREATE TABLE IF NOT EXISTS loss_record (
  path LowCardinality(String), interval_ns UInt64 CODEC(ZSTD), block_number UInt64 CODEC(Delta, ZSTD),
  start_ns UInt64 CODEC(Delta, ZSTD), ${HEADER},
  guard_ns UInt64 CODEC(ZSTD), covered_from_ns UInt64 CODEC(Delta, ZSTD), covered_to_ns UInt64 CODEC(Delta, ZSTD),
  rule_hash UInt64 CODEC(ZSTD), part UInt32 CODEC(ZSTD), parts UInt32 CODEC(ZSTD),
  overflowed Bool, clock_stepped Bool, unmatched_fragments UInt64 CODEC(ZSTD),
  packets UInt64 CODEC(ZSTD), out_of_guard UInt64 CODEC(ZSTD),
  flow_names Array(String) CODEC(ZSTD), flow_packets Array(UInt64) CODEC(ZSTD),
  flow_l3_bytes Array(UInt64) CODEC(ZSTD), flow_fragments Array(UInt64) CODEC(ZSTD),
  INDEX reach (start_ns + 3 * interval_ns) TYPE minmax GRANULARITY 1,
  PROJECTION hourly (
    SELECT path, agent, service, role, interface, boot_id, ${HOUR},
      min(start_ns), max(start_ns), maxIf(start_ns, packets > 0), max(interval_ns),
      min(covered_from_ns), max(covered_to_ns), min(arrived_ns), max(arrived_ns),
      min(sequence), max(sequence), groupBitmap(sequence),
      argMax(${FACTS}, sequence), argMaxIf(counters, sequence, leading)
    GROUP BY path, agent, service, role, interface, boot_id, ${HOUR}
  )
)`;

const PRESENCE = `CREATE TABLE IF NOT EXISTS presence (
  path LowCardinality(String), interval_ns UInt64, at_ns UInt64, joined Bool, rule_hash UInt64,
  flow_names Array(String) CODEC(ZSTD), ${HEADER}
)`;

// Until when the feed has told of changes.
const TOLD = `CREATE TABLE IF NOT EXISTS told (told_ns UInt64, kind UInt8 DEFAULT 0)
  ENGINE = ReplacingMergeTree(told_ns) ORDER BY kind`;

/** Columns of a `loss_record` row in insert order. */
export const LOSS_RECORD_COLUMNS = [
  ...HEADER_COLUMNS,
  "leading",
  "counters",
  "path",
  "interval_ns",
  "block_number",
  "start_ns",
  "guard_ns",
  "covered_from_ns",
  "covered_to_ns",
  "rule_hash",
  "part",
  "parts",
  "overflowed",
  "clock_stepped",
  "unmatched_fragments",
  "packets",
  "out_of_guard",
  "flow_names",
  "flow_packets",
  "flow_l3_bytes",
  "flow_fragments",
  "stored_ns",
] as const;

/** Columns of a `presence` row in insert order. */
export const PRESENCE_COLUMNS = [
  ...HEADER_COLUMNS,
  "leading",
  "counters",
  "path",
  "interval_ns",
  "at_ns",
  "joined",
  "rule_hash",
  "flow_names",
  "stored_ns",
] as const;

/**
 * Creates what is missing and brings retention and the loss view up to date. Idempotent.
 *
 * @param retentionS how long rows are kept, in seconds; whole days are dropped at a time
 */
export async function prepareSchema(store: Store, retentionS: number): Promise<void> {
  if (!Number.isInteger(retentionS) || retentionS < DAY_S)
    throw new RangeError(`retention ${retentionS} s is too short`);
  const storedAt = "toDateTime(intDiv(stored_ns, 1000000000), 'UTC')";
  const ttl = `${storedAt} + toIntervalSecond(${retentionS})`;
  // Partitioned by the day of storing and not of measuring: one insert, and so one report, is in one partition.
  const engine = (order: string) => `ENGINE = MergeTree PARTITION BY toYYYYMMDD(${storedAt})
    ORDER BY (${order}) TTL ${ttl} SETTINGS ttl_only_drop_parts = 1`;
  await store.command(`${LOSS_RECORD} ${engine("start_ns, path, agent")}`);
  // A store may be older than the column.
  await store.command("ALTER TABLE loss_record ADD COLUMN IF NOT EXISTS unmatched_fragments UInt64 CODEC(ZSTD)");
  await store.command(`${PRESENCE} ${engine("at_ns, path, agent")}`);
  await store.command(TOLD);
  for (const table of KIND_TABLES) {
    await store.command(`${createKindTable(table)} ${engine(KIND_TABLE_ORDER)}`);
    await store.command(addColumns(table));
  }
  for (const table of ["loss_record", "presence", ...KIND_TABLES.map(({ name }) => name)]) {
    await store.command(`ALTER TABLE ${table} MODIFY TTL ${ttl} SETTINGS materialize_ttl_after_modify = 0`);
  }
  await store.command(lossView());
}
