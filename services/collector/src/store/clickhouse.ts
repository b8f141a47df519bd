import { Readable } from "node:stream";
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { type InsertRows, QUERY_SETTINGS, type SqlParams, type SqlRow, type Store, storeError } from "./store.ts";

const DATABASE = "waymark";
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * A ClickHouse server by URL: `http[s]://[user[:password]@]host[:port][/database]`.
 * The database is created when it is missing; its default name is `waymark`.
 *
 * @throws StoreError when the server does not answer
 */
export async function openClickHouse(url: URL): Promise<Store> {
  const database = decodeURIComponent(url.pathname.replace(/^\/+/, "")) || DATABASE;
  const origin = new URL(url.origin);
  const common = {
    url: origin,
    username: decodeURIComponent(url.username) || "default",
    password: decodeURIComponent(url.password),
    request_timeout: REQUEST_TIMEOUT_MS,
    clickhouse_settings: QUERY_SETTINGS,
    // What goes wrong comes back as an error.
    log: { level: ClickHouseLogLevel.OFF },
  };
  const first = createClient(common);
  try {
    await first.command({ query: "CREATE DATABASE IF NOT EXISTS {name:Identifier}", query_params: { name: database } });
  } catch (error) {
    throw storeError(`open store ${origin.href}`, error, codeOf(error));
  } finally {
    await first.close();
  }
  return new ClickHouseStore(createClient({ ...common, database }), `${origin.href}${database}`);
}

class ClickHouseStore implements Store {
  readonly location: string;
  readonly #client: ClickHouseClient;

  constructor(client: ClickHouseClient, location: string) {
    this.#client = client;
    this.location = location;
  }

  async command(sql: string, params: SqlParams = {}): Promise<void> {
    try {
      await this.#client.command({ query: sql, query_params: params });
    } catch (error) {
      throw storeError("command", error, codeOf(error));
    }
  }

  async query(sql: string, params: SqlParams = {}): Promise<SqlRow[]> {
    try {
      const result = await this.#client.query({ query: sql, query_params: params, format: "JSONEachRow" });
      return await result.json<SqlRow>();
    } catch (error) {
      throw storeError("query", error, codeOf(error));
    }
  }

  async insert(rows: InsertRows): Promise<void> {
    const columns = rows.columns.join(", ");
    try {
      // exec and not insert(): the body is ready-made lines, and the client would serialise them again.
      const { stream } = await this.#client.exec({
        query: `INSERT INTO ${rows.table} (${columns}) FORMAT JSONCompactEachRow`,
        values: Readable.from([rows.body], { objectMode: false }),
        clickhouse_settings: { async_insert: 0, wait_end_of_query: 1 },
      });
      stream.resume();
    } catch (error) {
      throw storeError(`insert into ${rows.table}`, error, codeOf(error));
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

function codeOf(error: unknown): number | undefined {
  return typeof error === "object" && error !== null && "code" in error ? Number(error.code) : undefined;
}
