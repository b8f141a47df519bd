/** A value bound to a `{name:Type}` placeholder. 64-bit numbers travel as bigint. */
export type SqlParam = string | number | bigint | boolean | readonly string[];

/** Bound parameters of one statement; values never become part of the SQL text. */
export type SqlParams = Readonly<Record<string, SqlParam>>;

/** One result row as JSON: 64-bit integers come as decimal strings. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** Rows for one insert, each a JSON array in the order of `columns`. */
export interface InsertRows {
  readonly table: string;
  readonly columns: readonly string[];
  /** JSONCompactEachRow: one JSON array a line. */
  readonly body: Buffer;
}

/** ClickHouse SQL, wherever it runs. Statements name tables without a database. */
export interface Store {
  /** Where the data is, for log lines; never holds a password. */
  readonly location: string;
  /** Runs a statement that answers nothing. */
  command(sql: string, params?: SqlParams): Promise<void>;
  /** Runs a query and returns all its rows. */
  query(sql: string, params?: SqlParams): Promise<SqlRow[]>;
  /** Stores the rows as one atomic block: all of them or none. */
  insert(rows: InsertRows): Promise<void>;
  /** Releases the engine or the connections. Idempotent. */
  close(): Promise<void>;
}

/** A statement failed. */
export class StoreError extends Error {
  readonly code = "STORE_FAILED";
  readonly operation: string;
  /** The same statement will never work. */
  readonly permanent: boolean;
  /** It would have taken more memory or time than one may. */
  readonly exhausted: boolean;

  constructor(
    operation: string,
    message: string,
    options: { permanent?: boolean; exhausted?: boolean; cause?: unknown } = {},
  ) {
    super(`${operation}: ${message}`, { cause: options.cause });
    this.name = "StoreError";
    this.operation = operation;
    this.permanent = options.permanent ?? false;
    this.exhausted = options.exhausted ?? false;
  }
}

/** Memory of one statement: the embedded engine shares the process with the ingest. */
const MAX_QUERY_BYTES = String(2 ** 31);
/** Seconds of one statement: less than a client waits. */
const MAX_QUERY_S = 25;

/**
 * Settings that both engines are given: so that they answer alike, that no question takes all memory or all day, and
 * without two rewritings that do nothing for our queries but take more than half of the time in which the loss rule is
 * planned.
 */
export const QUERY_SETTINGS = {
  output_format_json_quote_64bit_integers: 1,
  join_use_nulls: 0,
  optimize_and_compare_chain: 0,
  optimize_aggregators_of_group_by_keys: 0,
  max_memory_usage: MAX_QUERY_BYTES,
  max_execution_time: MAX_QUERY_S,
} as const;

// ClickHouse error codes of data that cannot be parsed or converted: repeating the insert is useless.
const UNPARSABLE = new Set([6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131]);

// …of memory and of time that have run out.
const EXHAUSTED = new Set([159, 241]);

/**
 * Wraps whatever an engine threw into a StoreError of one line.
 *
 * @param clickhouseCode the engine's error number, when it is known
 */
export function storeError(operation: string, cause: unknown, clickhouseCode: number | undefined): StoreError {
  const text =
    typeof cause === "object" && cause !== null && "message" in cause ? String(cause.message) : String(cause);
  const line = text.split("\n", 1)[0]?.slice(0, 500) ?? "";
  const code = clickhouseCode ?? -1;
  return new StoreError(operation, line, { permanent: UNPARSABLE.has(code), exhausted: EXHAUSTED.has(code), cause });
}
