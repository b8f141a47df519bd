import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { drainPending, Session } from "chdb";
import { freePort } from "./temporary.ts";

/** How the next insert of reports goes wrong. */
export type Mishap = "refused before it is stored" | "cut after it is stored" | "unparsable";

/** The HTTP interface of a ClickHouse server, as far as the collector uses it. */
export interface ClickHouseFront {
  readonly url: string;
  /** Inserts that have worked. */
  readonly inserts: () => number;
  /** The `Authorization` and `X-ClickHouse-*` headers of the latest request. */
  readonly lastUser: () => string | undefined;
  fail(mishap: Mishap): void;
  close(): Promise<void>;
}

/**
 * There is no ClickHouse server on the hosts that these tests run on. This puts the real engine (chdb is ClickHouse)
 * behind the protocol that the client speaks: what is tested is our client code and the same SQL, not a server.
 */
export async function startClickHouseFront(directory: string): Promise<ClickHouseFront> {
  const session = new Session(directory);
  const mishaps: Mishap[] = [];
  let inserts = 0;
  let user: string | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://front");
    const body = await bodyOf(request);
    user = request.headers.authorization;
    const inUrl = url.searchParams.get("query");
    const insert = inUrl !== null && /^\s*INSERT/i.test(inUrl);
    // What is wanted is the fate of reports, not that of the feed's notes.
    const mishap = insert && !/^\s*INSERT INTO told /i.test(inUrl) ? mishaps.shift() : undefined;
    if (mishap === "refused before it is stored") return fail(response, 241, "memory limit");
    if (mishap === "unparsable") return fail(response, 27, "cannot parse");
    try {
      prepare(url);
      const text = insert ? await runInsert(inUrl, body) : await runQuery(`${inUrl ?? ""}${body.toString()}`);
      if (mishap === "cut after it is stored") {
        response.destroy();
        return;
      }
      response.writeHead(200, { "content-type": "application/x-ndjson" }).end(text);
    } catch (error) {
      const { clickhouseCode, message } = error as { clickhouseCode?: number; message: string };
      fail(response, clickhouseCode ?? 1000, message);
    }
  }

  function prepare(url: URL): void {
    const database = url.searchParams.get("database");
    if (database !== null && database !== "default") session.query(`USE ${database}`);
    for (const [name, value] of url.searchParams) {
      if (name.startsWith("param_"))
        session.query(`SET ${name} = '${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`);
      else if (/^(output_format|join_use)/.test(name)) session.query(`SET ${name} = ${Number(value)}`);
    }
  }

  async function runInsert(sql: string, body: Buffer): Promise<string> {
    const [, table = "", columns = ""] = /INSERT INTO (\S+) \(([^)]*)\)/.exec(sql) ?? [];
    await session.insert({
      table,
      columns: columns.split(",").map((name) => name.trim()),
      values: body,
      format: "JSONCompactEachRow",
    });
    inserts++;
    return "";
  }

  async function runQuery(sql: string): Promise<string> {
    return (await session.queryAsync(sql.replace(/\s*FORMAT JSONEachRow\s*$/, ""), { format: "JSONEachRow" })).text();
  }

  const server = createServer((request, response) => {
    // One at a time: parameters are set on the session.
    queue = queue.then(() => serve(request, response)).catch(() => response.destroy());
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    inserts: () => inserts,
    lastUser: () => user,
    fail: (mishap) => mishaps.push(mishap),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await queue;
      session.close();
      await drainPending();
    },
  };
}

function fail(response: ServerResponse, code: number, message: string): void {
  response
    .writeHead(500, { "x-clickhouse-exception-code": String(code) })
    .end(`Code: ${code}. DB::Exception: ${message}. (SOME_ERROR) (version 26.7)`);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
