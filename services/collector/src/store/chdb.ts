import type { Session } from "chdb";
import { lockDirectory } from "./lock.ts";
import {
  type InsertRows,
  QUERY_SETTINGS,
  type SqlParams,
  type SqlRow,
  type Store,
  StoreError,
  storeError,
} from "./store.ts";

const DATABASE = "waymark";

/**
 * ClickHouse inside this process, its data in `directory`, which is locked for this process.
 * The engine binds one directory per process.
 *
 * @throws StoreError when another collector holds the directory or the engine does not start
 */
export async function openChdb(directory: string): Promise<Store> {
  const lock = lockDirectory(directory);
  try {
    // Loaded only when used: the engine is a library of several hundred megabytes.
    const { Session: ChdbSession, drainPending } = await import("chdb");
    await drainPending();
    const session = new ChdbSession(directory);
    const store = new ChdbStore(session, directory, async () => {
      session.close();
      await drainPending();
      lock.release();
    });
    await store.prepare();
    return store;
  } catch (error) {
    lock.release();
    throw openError(directory, error);
  }
}

// The engine gives its reason to standard error only. It, too, locks the directory.
function openError(directory: string, error: unknown): Error {
  const isRefused = typeof error === "object" && error !== null && "code" in error && error.code === "CHDB_CONNECTION";
  if (!isRefused) return storeError(`open store ${directory}`, error, codeOf(error));
  const why = "another process uses it, or it cannot be written, or holds something else";
  return new StoreError("open store", `the engine does not take ${directory}: ${why}`, { cause: error });
}

class ChdbStore implements Store {
  readonly location: string;
  readonly #session: Session;
  readonly #release: () => Promise<void>;
  #closed = false;

  constructor(session: Session, directory: string, release: () => Promise<void>) {
    this.#session = session;
    this.location = directory;
    this.#release = release;
  }

  /** Creates the database and makes it and the common settings the session's own. */
  async prepare(): Promise<void> {
    await this.command(`CREATE DATABASE IF NOT EXISTS ${DATABASE} ENGINE = Atomic`);
    await this.command(`USE ${DATABASE}`);
    for (const [name, value] of Object.entries(QUERY_SETTINGS)) await this.command(`SET ${name} = ${value}`);
  }

  async command(sql: string, params: SqlParams = {}): Promise<void> {
    await this.#run("command", sql, params);
  }

  async query(sql: string, params: SqlParams = {}): Promise<SqlRow[]> {
    const text = await this.#run("query", sql, params);
    const rows: SqlRow[] = [];
    for (const line of text.split("\n")) if (line !== "") rows.push(JSON.parse(line) as SqlRow);
    return rows;
  }

  async insert(rows: InsertRows): Promise<void> {
    try {
      await this.#session.insert({
        table: `${DATABASE}.${rows.table}`,
        columns: rows.columns,
        values: rows.body,
        format: "JSONCompactEachRow",
      });
    } catch (error) {
      throw storeError(`insert into ${rows.table}`, error, codeOf(error));
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#release();
  }

  async #run(operation: string, sql: string, params: SqlParams): Promise<string> {
    try {
      const bound = Object.fromEntries(Object.entries(params).map(([name, value]) => [name, bindable(value)]));
      return (await this.#session.queryBindAsync(sql, bound, { format: "JSONEachRow" })).text();
    } catch (error) {
      throw storeError(operation, error, codeOf(error));
    }
  }
}

function bindable(value: SqlParams[string]): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function codeOf(error: unknown): number | undefined {
  return typeof error === "object" && error !== null && "clickhouseCode" in error
    ? Number(error.clickhouseCode)
    : undefined;
}
