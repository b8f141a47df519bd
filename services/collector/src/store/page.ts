import type { Conditions } from "./conditions.ts";
import type { SqlRow, Store } from "./store.ts";

/** Rows in order, and where to go on if there are more. */
export interface Page<Row, Place> {
  readonly rows: readonly Row[];
  readonly next: Place | undefined;
}

/**
 * Where a page of sums begins: after `offset` rows of what was stored until `asOfNs`. The sums of a page's successors
 * are those of the same rows, whatever is stored meanwhile.
 */
export interface SumPlace {
  readonly asOfNs: bigint;
  readonly offset: number;
}

/** A row of a report; the order of rows that begin at the same time. */
export interface RowPlace {
  readonly fromNs: bigint;
  readonly agent: string;
  readonly service: string;
  readonly role: string;
  readonly interface: string;
  readonly bootId: string;
  readonly sequence: bigint;
  readonly nth: bigint;
  /** Of a sample in its row, from 1; else 0. */
  readonly within: bigint;
}

/** What names a row, in the order of rows, but for the time; all queries of rows select these. */
export const ROW_IDENTITY = "agent, service, role, interface, boot_id, sequence, nth";

/** Splits what was asked for with one row more than a page into a page of sums. */
export function sumPage<Row>(rows: readonly Row[], limit: number, place: SumPlace): Page<Row, SumPlace> {
  const next = rows.length > limit ? { asOfNs: place.asOfNs, offset: place.offset + limit } : undefined;
  return { rows: rows.slice(0, limit), next };
}

/** How groups of rows are put into an order. */
export interface GroupOrder {
  /** A number for each group, out of its rows' columns. */
  readonly id: string;
  /** By what of their rows. */
  readonly by: string;
  /** By which of the sums that is. */
  readonly sum: string;
}

/** Groups of rows of a table, and what is asked of each. */
export interface GroupQuestion {
  readonly table: string;
  /** Expressions, with their names, that the key needs beside the table's columns. */
  readonly derived: string;
  readonly key: string;
  readonly sums: string;
  readonly conditions: Conditions;
}

/**
 * SQL of one page of sums of groups, in the order of their keys. Which groups are on the page is found out first, so that
 * only their rows are put together.
 */
export function keyedPage(question: GroupQuestion, limit: number, { offset }: SumPlace): string {
  const { table, derived, key, sums, conditions } = question;
  // Columns that nobody asks for are not read.
  const rows = `(SELECT *, ${derived} FROM ${table} WHERE ${conditions.sql})`;
  return `SELECT ${key}, ${sums} FROM ${rows}
    WHERE (${key}) IN (SELECT ${key} FROM ${rows} GROUP BY ${key} ORDER BY ${key} LIMIT ${limit + 1} OFFSET ${offset})
    GROUP BY ${key} ORDER BY ${key}`;
}

/** The same in another order. */
export function rankedPage(question: GroupQuestion, order: GroupOrder, limit: number, { offset }: SumPlace): string {
  const { table, derived, key, sums, conditions } = question;
  const rows = `(SELECT *, ${derived}, ${order.id} AS group_id FROM ${table} WHERE ${conditions.sql})`;
  return `SELECT ${key}, ${sums} FROM ${rows}
    WHERE group_id IN (
      SELECT group_id FROM ${rows} GROUP BY group_id ORDER BY ${order.by}, group_id LIMIT ${limit + 1} OFFSET ${offset}
    )
    GROUP BY group_id, ${key} ORDER BY ${order.sum}, group_id, ${key}`;
}

/** Leaves out what lies before or at a place, by the columns `time` and those of ROW_IDENTITY, and `within`. */
export function addPlace(
  conditions: Conditions,
  time: string,
  within: string,
  place: RowPlace | undefined,
): Conditions {
  if (place === undefined) return conditions;
  return conditions.add(
    `${time} >= {place_ns:UInt64} AND (${time}, ${ROW_IDENTITY}, ${within}) > ({place_ns:UInt64}, {place_agent:String},
      {place_service:String}, {place_role:String}, {place_interface:String}, {place_boot:String},
      {place_sequence:UInt64}, {place_nth:UInt32}, {place_within:UInt32})`,
    {
      place_ns: place.fromNs,
      place_agent: place.agent,
      place_service: place.service,
      place_role: place.role,
      place_interface: place.interface,
      place_boot: place.bootId,
      place_sequence: place.sequence,
      place_nth: place.nth,
      place_within: place.within,
    },
  );
}

/** Where a row is in the order. */
export function rowPlace(row: SqlRow, time: string, within?: string): RowPlace {
  const text = (key: string) => String(row[key]);
  return {
    fromNs: BigInt(text(time)),
    agent: text("agent"),
    service: text("service"),
    role: text("role"),
    interface: text("interface"),
    bootId: text("boot_id"),
    sequence: BigInt(text("sequence")),
    nth: BigInt(text("nth")),
    within: within === undefined ? 0n : BigInt(text(within)),
  };
}

/** One page of single rows of a table, oldest first. */
export async function listRows<Row>(
  store: Store,
  question: {
    readonly table: string;
    readonly columns: string;
    readonly conditions: Conditions;
    readonly limit: number;
    readonly after: RowPlace | undefined;
  },
  read: (row: SqlRow) => Row,
): Promise<Page<Row, RowPlace>> {
  const { table, columns, limit } = question;
  const conditions = addPlace(question.conditions, "from_ns", "0", question.after);
  const rows = await store.query(
    `SELECT from_ns, ${ROW_IDENTITY}, ${columns} FROM ${table} WHERE ${conditions.sql}
    ORDER BY from_ns, ${ROW_IDENTITY} LIMIT ${limit + 1}`,
    conditions.params,
  );
  return placedPage(rows, limit, read, (row) => rowPlace(row, "from_ns"));
}

/** Splits what was asked for with one row more than a page. */
export function placedPage<Row>(
  rows: readonly SqlRow[],
  limit: number,
  read: (row: SqlRow) => Row,
  placeOf: (row: SqlRow) => RowPlace,
): Page<Row, RowPlace> {
  const last = rows[limit - 1];
  const next = rows.length > limit && last !== undefined ? placeOf(last) : undefined;
  return { rows: rows.slice(0, limit).map(read), next };
}
