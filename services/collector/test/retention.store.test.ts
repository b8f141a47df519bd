import { kindTables, knownPayload } from "../src/ingest/kinds.ts";
import { reportRows, stampedText } from "../src/ingest/rows.ts";
import { openChdb } from "../src/store/chdb.ts";
import { prepareSchema } from "../src/store/schema.ts";
import type { Store } from "../src/store/store.ts";
import { block, presence, reportOf } from "./history.ts";
import { key, nowNs, type PayloadInit, record, reportFrom } from "./kind-reports.ts";
import { temporaryDirectory } from "./temporary.ts";

const directory = temporaryDirectory();
const DAY_NS = 86_400_000_000_000n;
let store: Store;

beforeAll(async () => {
  store = await openChdb(directory.path);
  await prepareSchema(store, 30 * 86_400);
});

afterAll(async () => {
  await store.close();
  directory.remove();
});

function payloads(): readonly PayloadInit[] {
  const loss = reportOf(block("source", 1n)).payload;
  const joined = reportOf(presence("source", true, nowNs())).payload;
  if (loss.case !== "loss" || joined.case !== "presence") throw new Error("not what was made");
  return [
    loss,
    joined,
    { case: "flows", value: { records: [record(key(), nowNs())] } },
    { case: "rtt", value: {} },
    { case: "delay", value: {} },
    { case: "throughput", value: {} },
  ];
}

test("what was stored before the retention began goes, of every kind, and nothing else", async () => {
  const from = { id: "old", service: "any", role: "any", interface: "eth0", boot: "old" };
  const stamps = [31n, 29n, 0n].map((days) => nowNs() - days * DAY_NS);
  for (const payload of payloads()) {
    const report = reportFrom(from, 1n, payload);
    const rows = reportRows(report, knownPayload(report)!, nowNs(), 0n);
    for (const stamp of stamps) {
      const body = Buffer.from(stampedText(rows, stamp));
      await store.insert({ table: rows.table, columns: rows.columns, body });
    }
  }
  for (const { table } of kindTables) {
    await store.command(`OPTIMIZE TABLE ${table} FINAL`);
    const kept = await store.query(`SELECT stored_ns FROM ${table} ORDER BY stored_ns`);
    expect([table, ...kept.map((row) => row["stored_ns"])]).toEqual([table, ...stamps.slice(1).map(String)]);
  }
});

test("a store of an earlier version is given what it lacks", async () => {
  await store.command("ALTER TABLE throughput_record DROP COLUMN sequence_restarts");
  await prepareSchema(store, 60 * 86_400);
  const [table] = await store.query(
    `SELECT engine_full, (SELECT count() FROM system.columns WHERE database = currentDatabase()
      AND table = 'throughput_record' AND name = 'sequence_restarts') AS columns
    FROM system.tables WHERE database = currentDatabase() AND name = 'throughput_record'`,
  );
  expect(table).toMatchObject({ columns: "1", engine_full: expect.stringContaining("toIntervalSecond(5184000)") });
});
