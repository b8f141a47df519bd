import type { Conditions } from "./conditions.ts";
import { addPlace, type Page, placedPage, ROW_IDENTITY, type RowPlace, rowPlace } from "./page.ts";
import type { SqlRow, Store } from "./store.ts";

// Rows looked at to find out how far a page may reach.
const ROWS_LOOKED_AT = 4096;
// A slice with fewer samples costs the same: most of a query's time is its planning.
const MIN_SLICE_SAMPLES = 1024;

/** Which samples to answer: those of rows with arrays, whose `from_ns` and `to_ns` are the first and the last sample. */
export interface SampleQuestion {
  readonly table: string;
  /** The arrays, each `array AS name`. Times are in `sample_at_ns`. */
  readonly arrays: string;
  /** What is answered beside the row's identity and the time of the sample, `at_ns`. */
  readonly columns: string;
  /** Conditions on the rows but for the time, new ones at every call. */
  readonly conditions: () => Conditions;
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

/**
 * One page of single samples, oldest first. They are looked up a slice of time at a time, just long enough for the page,
 * so that the cost follows the page and not the store.
 */
export async function listSamples<Row>(
  store: Store,
  question: SampleQuestion,
  limit: number,
  after: RowPlace | undefined,
  read: (row: SqlRow) => Row,
): Promise<Page<Row, RowPlace>> {
  const rows: SqlRow[] = [];
  const { toNs } = question;
  let fromNs = after !== undefined && after.fromNs > question.fromNs ? after.fromNs : question.fromNs;
  // Twice as many each time: rows that overlap in time may have few samples at its beginning.
  for (let wanted = Math.max(limit + 1, MIN_SLICE_SAMPLES); rows.length <= limit && fromNs < toNs; wanted *= 2) {
    const endNs = await sliceEnd(store, question, fromNs, wanted);
    rows.push(...(await slice(store, question, fromNs, endNs, limit + 1 - rows.length, after)));
    fromNs = endNs;
  }
  return placedPage(rows, limit, read, (row) => rowPlace(row, "at_ns", "place"));
}

// The end of a slice of time that may hold as many samples: no sample comes before its row begins.
async function sliceEnd(store: Store, question: SampleQuestion, fromNs: bigint, wanted: number): Promise<bigint> {
  const { table, toNs } = question;
  const conditions = rowsWithin(question, fromNs, toNs);
  const rows = await store.query(
    `SELECT from_ns, length(sample_at_ns) AS samples FROM ${table} WHERE ${conditions.sql}
    ORDER BY from_ns LIMIT ${ROWS_LOOKED_AT}`,
    conditions.params,
  );
  let samples = 0;
  let endNs = toNs;
  for (const row of rows) {
    samples += Number(row["samples"]);
    endNs = BigInt(String(row["from_ns"])) + 1n;
    if (samples >= wanted && endNs > fromNs) return endNs < toNs ? endNs : toNs;
  }
  return rows.length < ROWS_LOOKED_AT || endNs <= fromNs || endNs > toNs ? toNs : endNs;
}

async function slice(
  store: Store,
  question: SampleQuestion,
  fromNs: bigint,
  toNs: bigint,
  limit: number,
  after: RowPlace | undefined,
): Promise<readonly SqlRow[]> {
  const { table, arrays, columns } = question;
  const conditions = rowsWithin(question, fromNs, toNs).add(
    "at_ns >= {slice_from_ns:UInt64} AND at_ns < {slice_to_ns:UInt64}",
  );
  addPlace(conditions, "at_ns", "place", after);
  return store.query(
    `SELECT ${ROW_IDENTITY}, ${columns}, at_ns, place FROM ${table}
    ARRAY JOIN sample_at_ns AS at_ns, ${arrays}, arrayEnumerate(sample_at_ns) AS place
    WHERE ${conditions.sql} ORDER BY at_ns, ${ROW_IDENTITY}, place LIMIT ${limit}`,
    conditions.params,
  );
}

function rowsWithin({ conditions }: SampleQuestion, fromNs: bigint, toNs: bigint): Conditions {
  return conditions().add("from_ns < {slice_to_ns:UInt64} AND to_ns >= {slice_from_ns:UInt64}", {
    slice_from_ns: fromNs,
    slice_to_ns: toNs,
  });
}
