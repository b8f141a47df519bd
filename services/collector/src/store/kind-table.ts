import { FACTS, HEADER, HEADER_COLUMNS } from "./header.ts";

/** What is stored of one kind of reports: a row is one of the things that a report tells. */
export interface KindTable {
  readonly name: string;
  /** Beside the header and the columns that all such tables have, in insert order, each with its type and codec. */
  readonly columns: Readonly<Record<string, string>>;
  /** Columns that the store computes out of the others, each with its type, expression and codec. */
  readonly computed?: Readonly<Record<string, string>>;
}

/** What a row tells of; `none` is the one row of a report that tells nothing, so that its sequence is stored. */
export type Item = "none" | "record" | "summary" | "samples" | "event";

const ITEM = "Enum8('none' = 0, 'record' = 1, 'summary' = 2, 'samples' = 3, 'event' = 4)";

// "nth" is the place of the row in its report; with the report's identity it names the row.
const COMMON: Readonly<Record<string, string>> = {
  item: ITEM,
  nth: "UInt32 CODEC(ZSTD)",
  from_ns: "UInt64 CODEC(Delta, ZSTD)",
  to_ns: "UInt64 CODEC(Delta, ZSTD)",
};

/** Columns of a row in insert order; `stored_ns` comes last in every row. */
export function insertColumns(table: KindTable): readonly string[] {
  return [...HEADER_COLUMNS, "leading", "counters", ...Object.keys(COMMON), ...Object.keys(table.columns), "stored_ns"];
}

/** By what the rows are ordered: a range of time of one item is read without the rest. */
export const KIND_TABLE_ORDER = "item, from_ns, agent";

/**
 * The start of the statement that creates the table. The projection tells who has reported, since when and until when,
 * without reading the rows; it is part of the same atomic insert.
 */
export function createKindTable({ name, columns, computed }: KindTable): string {
  const own = Object.entries({ ...COMMON, ...columns, ...computed }).map(([column, type]) => `${column} ${type}`);
  return `CREATE TABLE IF NOT EXISTS ${name} (${HEADER}, ${own.join(", ")},
    PROJECTION hourly (
      SELECT agent, service, role, interface, boot_id, intDiv(arrived_ns, 3600000000000),
        min(arrived_ns), max(arrived_ns), min(sequence), max(sequence), groupBitmap(sequence),
        argMax(${FACTS}, sequence), argMaxIf(counters, sequence, leading),
        minIf(from_ns, from_ns > 0), max(to_ns)
      GROUP BY agent, service, role, interface, boot_id, intDiv(arrived_ns, 3600000000000)
    ))`;
}

/** The statement that gives a table of an earlier version the columns that it lacks. */
export function addColumns({ name, columns, computed }: KindTable): string {
  const clauses = Object.entries({ ...columns, ...computed }).map(
    ([column, type]) => `ADD COLUMN IF NOT EXISTS ${column} ${type}`,
  );
  return `ALTER TABLE ${name} ${clauses.join(", ")}`;
}
