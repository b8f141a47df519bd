// How fast reports are stored, and how long questions take over many rows.
//   node --conditions=source --import tsx services/collector/bench/store.bench.ts [million rows, default 10]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { silentLogger } from "@waymark/agent";
import { ReportSchema } from "@waymark/proto/report";
import { StoreClock, systemNowNs } from "../src/clock.ts";
import { Ingest, type Receipt } from "../src/ingest/ingest.ts";
import { listAgents } from "../src/store/agent-query.ts";
import { openChdb } from "../src/store/chdb.ts";
import { END_OF_TIME_NS, listLoss } from "../src/store/loss-query.ts";
import { listPaths } from "../src/store/path-query.ts";
import { prepareSchema } from "../src/store/schema.ts";
import type { Store } from "../src/store/store.ts";

const L = 10_000_000_000n;
const REPORTS = 4000;
const BLOCKS_A_REPORT = 50;
const FLOWS_A_BLOCK = 4;
const REPEATS = 5;
// As many as a stream of JetStream may have.
const UNDER_WAY = 400;
// Of paths with a source and a sink each, a block every second for as long as it takes.
const PATHS = 50;

const directory = mkdtempSync(join(tmpdir(), "waymark-bench-"));
const millions = Number(process.argv[2] ?? 10);
const store = await openChdb(directory);
try {
  await prepareSchema(store, 30 * 86_400);
  await benchIngest(store);
  await store.command("TRUNCATE TABLE loss_record");
  await benchQueries(store, millions * 1_000_000);
} finally {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
}

function reports(): Uint8Array[] {
  const now = systemNowNs();
  const first = now / L - BigInt(REPORTS * BLOCKS_A_REPORT);
  return Array.from({ length: REPORTS }, (_, report) =>
    toBinary(
      ReportSchema,
      create(ReportSchema, {
        agent: { id: "bench", service: "altmark", role: "source", interface: "eth0", host: "bench", version: "1" },
        bootId: "bench",
        kernelBootId: "bench",
        sequence: BigInt(report + 1),
        sentAtNs: now,
        clock: { synchronised: true, maxErrorNs: 1000n },
        payload: {
          case: "loss",
          value: {
            blocks: Array.from({ length: BLOCKS_A_REPORT }, (_, index) => {
              const blockNumber = first + BigInt(report * BLOCKS_A_REPORT + index);
              const startNs = blockNumber * L;
              return {
                path: `path-${index % 10}`,
                blockNumber,
                intervalNs: L,
                guardNs: L / 4n,
                coveredFromNs: startNs - L / 2n,
                coveredToNs: startNs + L + L / 2n,
                ruleHash: 1n,
                parts: 1,
                flows: Array.from({ length: FLOWS_A_BLOCK }, (_, flow) => ({
                  flow: `10.0.0.${flow}:5000 > 10.1.0.1:443 tcp`,
                  packets: BigInt(1000 + index),
                  l3Bytes: BigInt(1_000_000 + index),
                })),
              };
            }),
          },
        },
      }),
    ),
  );
}

async function benchIngest(store: Store): Promise<void> {
  const bodies = reports();
  const ingest = new Ingest({ store, clock: new StoreClock(systemNowNs), nowNs: systemNowNs, log: silentLogger });
  const began = performance.now();
  const receipts: Receipt[] = [];
  const waiting = bodies.values();
  const take = async () => {
    for (const body of waiting) receipts.push(await ingest.take(body, systemNowNs()));
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, take));
  const seconds = (performance.now() - began) / 1000;
  const stored = receipts.filter(({ outcome }) => outcome.status === "stored").length;
  const rows = stored * BLOCKS_A_REPORT;
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  console.log(
    `ingest: ${stored} reports (${(bytes / 1e6).toFixed(1)} MB) in ${seconds.toFixed(2)} s: ` +
      `${Math.round(rows / seconds)} records/s, ${Math.round((rows * FLOWS_A_BLOCK) / seconds)} flow counts/s, ` +
      `${ingest.batcher.stats.inserts} inserts`,
  );
}

async function benchQueries(store: Store, rows: number): Promise<void> {
  const blocks = Math.ceil(rows / (2 * PATHS));
  const now = systemNowNs();
  const first = now / 1_000_000_000n - BigInt(blocks);
  const began = performance.now();
  await store.command(
    `INSERT INTO loss_record (path, interval_ns, block_number, start_ns, agent, service, role, interface, host, version,
      boot_id, kernel_boot_id, sequence, sent_ns, arrived_ns, stored_ns, synchronised, leading, guard_ns,
      covered_from_ns, covered_to_ns, rule_hash, part, parts, packets, flow_names, flow_packets, flow_l3_bytes,
      flow_fragments)
    SELECT concat('path-', toString(intDiv(number, 2) % ${PATHS})), 1000000000, ${first} + intDiv(number, ${2 * PATHS}) AS b,
      b * 1000000000, concat('agent-', toString(number % ${2 * PATHS})), 'altmark', if(number % 2 = 0, 'source', 'sink'),
      'eth0', 'host', '1', concat('boot-', toString(number % ${2 * PATHS})), 'kernel', intDiv(number, ${2 * PATHS}) + 1,
      b * 1000000000 + 1600000000, b * 1000000000 + 1601000000, b * 1000000000 + 1700000000, true, true, 250000000,
      b * 1000000000 - 500000000, b * 1000000000 + 1500000000, 1, 0, 1, 1000 - number % 2, ['default'],
      [1000 - number % 2], [1000000], [0]
    FROM numbers(${rows}) SETTINGS max_execution_time = 0`,
  );
  const [size] = await store.query(
    "SELECT count() AS parts, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'loss_record'",
  );
  console.log(
    `${rows} rows made in ${((performance.now() - began) / 1000).toFixed(1)} s: ${size?.["parts"]} parts, ` +
      `${(Number(size?.["bytes"]) / 1e6).toFixed(0)} MB, ${Math.round(process.memoryUsage.rss() / 1e6)} MB resident`,
  );
  const everything = { path: "", flow: "", agent: "", fromNs: 0n, toNs: END_OF_TIME_NS };
  const late = { ...everything, fromNs: now - 60_000_000_000n };
  await time("ListLoss, first 100 blocks", () => listLoss(store, now, everything, 100));
  await time("ListLoss, first 1000 blocks", () => listLoss(store, now, everything, 1000));
  await time("ListLoss, last minute", () => listLoss(store, now, late, 10_000));
  await time("ListLoss, last minute of one path", () => listLoss(store, now, { ...late, path: "path-7" }, 1000));
  await time("ListLoss, one path, first 1000", () => listLoss(store, now, { ...everything, path: "path-7" }, 1000));
  await time("ListLoss, 10000 blocks in the middle", () =>
    listLoss(store, now, { ...everything, fromNs: now - BigInt(blocks / 2) * 1_000_000_000n }, 10_000),
  );
  await time("ListAgents", () => listAgents(store, 0n, "", 1000));
  await time("ListPaths", () => listPaths(store, now, "", 1000));
}

async function time(name: string, work: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  console.log(`${name}: median ${times[REPEATS >> 1]?.toFixed(0)} ms, best ${times[0]?.toFixed(0)} ms`);
}
