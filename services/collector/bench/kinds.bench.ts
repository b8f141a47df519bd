// How fast flows, round-trip times, delays and throughputs are stored, and how long questions take over many rows.
//   node --conditions=source --import tsx services/collector/bench/kinds.bench.ts [million rows of flows, default 10]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { silentLogger } from "@waymark/agent";
import { mapIpv4 } from "@waymark/packet";
import { type FlowKeySchema, ReportSchema } from "@waymark/proto/report";
import { LogHistogram } from "@waymark/stats";
import { StoreClock, systemNowNs } from "../src/clock.ts";
import { Ingest, type Receipt } from "../src/ingest/ingest.ts";
import { listAgents } from "../src/store/agent-query.ts";
import { listBiflows } from "../src/store/biflow-query.ts";
import { openChdb } from "../src/store/chdb.ts";
import { listDelays } from "../src/store/delay-query.ts";
import { listFlowRecords, listFlowSums } from "../src/store/flow-query.ts";
import { END_OF_TIME_NS } from "../src/store/loss-query.ts";
import { listRtt, listRttSamples } from "../src/store/rtt-query.ts";
import { prepareSchema } from "../src/store/schema.ts";
import type { Store } from "../src/store/store.ts";
import { listThroughputSums } from "../src/store/throughput-query.ts";

const S = 1_000_000_000n;
const REPEATS = 5;
// As many as a stream of JetStream may have.
const UNDER_WAY = 400;
const REPORTS = 800;
/** What goes into a report of 56 KiB. */
const FLOWS_A_REPORT = 350;
const SAMPLES_A_REPORT = 3000;
const SUMMARIES_A_REPORT = 100;
const FLOWS = 10_000;
const SESSIONS = 20;

type PayloadInit = NonNullable<MessageInitShape<typeof ReportSchema>["payload"]>;

const FILTER = {
  ...{ agent: "", interface: "", address: undefined, sourceAddress: undefined, destinationAddress: undefined },
  ...{ port: 0, sourcePort: 0, destinationPort: 0, protocol: undefined, fromNs: 0n, toNs: END_OF_TIME_NS },
};

const directory = mkdtempSync(join(tmpdir(), "waymark-bench-"));
const millions = Number(process.argv[2] ?? 10);
const store = await openChdb(directory);
try {
  await prepareSchema(store, 30 * 86_400);
  await benchIngest("flows", "tcflows", "observer", FLOWS_A_REPORT, flowBatch);
  await benchIngest("rtt samples", "pping", "observer", SAMPLES_A_REPORT, sampleBatch);
  await benchIngest("rtt summaries", "pping", "observer", SUMMARIES_A_REPORT, summaryBatch);
  await benchIngest("throughput", "flowmon", "observer", FLOWS_A_REPORT, throughputBatch);
  await benchIngest("delay summaries", "stamp", "sender", SESSIONS, delayBatch);
  await benchQueries();
  await benchFlowQueries(store, millions * 1_000_000);
} finally {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
}

function key(i: number): MessageInitShape<typeof FlowKeySchema> {
  return {
    sourceAddress: mapIpv4([10, 0, i >> 8, i & 255]),
    destinationAddress: mapIpv4([10, 1, 0, i % 50]),
    protocol: 6,
    sourcePort: 1024 + (i % 60_000),
    destinationPort: 443,
    interface: "eth0",
    direction: 1 + (i % 2),
  };
}

function flowBatch(report: number, beginNs: bigint): PayloadInit {
  const records = Array.from({ length: FLOWS_A_REPORT }, (_, i) => {
    const firstNs = beginNs + BigInt(i);
    return {
      ...{
        flow: key((report * FLOWS_A_REPORT + i) % FLOWS),
        packets: BigInt(1000 + i),
        l3Bytes: BigInt(1_000_000 + i),
      },
      ...{ l2Bytes: BigInt(1_014_000 + i), firstNs, lastNs: firstNs + 5n * S, flowStartNs: beginNs, tcpFlags: 0x1b },
      ...{ sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1), destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 2), endReason: 2 },
    };
  });
  return { case: "flows", value: { records } };
}

function sampleBatch(report: number, beginNs: bigint): PayloadInit {
  const places = Array.from({ length: SAMPLES_A_REPORT }, (_, i) => i);
  return {
    case: "rtt",
    value: {
      flows: Array.from({ length: 200 }, (_, i) => key((report * 200 + i) % FLOWS)),
      samples: {
        flow: places.map((i) => i % 200),
        atNs: places.map((i) => beginNs + BigInt(i)),
        rttNs: places.map((i) => BigInt(20_000_000 + i * 1000)),
        method: places.map(() => 1),
        local: places.map(() => false),
      },
    },
  };
}

function distribution(from: number) {
  const histogram = new LogHistogram();
  for (let i = 0; i < 100; i++) histogram.add(from * (50 + i) + i * i * 1000);
  const { precisionBits, buckets, counts } = histogram.toBuckets();
  return {
    ...{ count: 100n, minNs: BigInt(histogram.min ?? 0), maxNs: BigInt(histogram.max ?? 0), sumNs: histogram.sum },
    histogram: { precisionBits, buckets: [...buckets], counts: [...counts] },
  };
}

function summaryBatch(report: number, beginNs: bigint): PayloadInit {
  const flows = Array.from({ length: SUMMARIES_A_REPORT }, (_, i) => key((report * SUMMARIES_A_REPORT + i) % FLOWS));
  const rtt = distribution(200_000);
  const summaries = flows.map((_, i) => ({
    ...{ subject: { case: "flow" as const, value: i }, fromNs: beginNs, toNs: beginNs + S, method: 1, rtt },
  }));
  return { case: "rtt", value: { flows, summaries } };
}

function throughputBatch(report: number, beginNs: bigint): PayloadInit {
  const records = Array.from({ length: FLOWS_A_REPORT }, (_, i) => ({
    ...{ flow: key((report * FLOWS_A_REPORT + i) % FLOWS), fromNs: beginNs, toNs: beginNs + S, packets: 1000n },
    ...{ l3Bytes: BigInt(1_000_000 + i), payloadBytes: 900_000n, goodputBytes: 890_000n, gaps: 999n },
    ...{ gapMeanNs: 1_001_000.5 + i, gapStddevNs: 33_000.25, burst1msL3Bytes: 9000n, burst10msL3Bytes: 20_000n },
  }));
  return { case: "throughput", value: { records } };
}

function delayBatch(_: number, beginNs: bigint): PayloadInit {
  const sessions = Array.from({ length: SESSIONS }, (_each, i) => ({
    ...{ senderAddress: mapIpv4([10, 0, 0, 1]), reflectorAddress: mapIpv4([10, 1, 0, i]) },
    ...{ senderPort: 40_000 + i, reflectorPort: 862, ssid: i },
  }));
  const distributions = { forward: distribution(20_000), backward: distribution(30_000) };
  const more = { roundTrip: distribution(50_000), residence: distribution(300), errorNs: 1000n, synchronised: true };
  const summaries = sessions.map((_each, session) => ({
    ...{ session, fromNs: beginNs, toNs: beginNs + S, sentPackets: 100n, receivedPackets: 100n, waitNs: S },
    ...distributions,
    ...more,
  }));
  return { case: "delay", value: { sessions, summaries } };
}

async function benchIngest(
  name: string,
  service: string,
  role: string,
  each: number,
  batch: (report: number, beginNs: bigint) => PayloadInit,
): Promise<void> {
  const now = systemNowNs();
  const bodies = Array.from({ length: REPORTS }, (_, i) =>
    toBinary(
      ReportSchema,
      create(ReportSchema, {
        agent: { id: "bench", service, role, interface: "eth0", host: "bench", version: "1" },
        ...{ bootId: name.replace(" ", "-"), kernelBootId: "bench", sequence: BigInt(i + 1), sentAtNs: now },
        clock: { synchronised: true, maxErrorNs: 1000n },
        payload: batch(i, now - BigInt(REPORTS - i) * S),
      }),
    ),
  );
  const ingest = new Ingest({ store, clock: new StoreClock(systemNowNs), nowNs: systemNowNs, log: silentLogger });
  const began = performance.now();
  const cpu = process.cpuUsage();
  const receipts: Receipt[] = [];
  const waiting = bodies.values();
  const take = async () => {
    for (const body of waiting) receipts.push(await ingest.take(body, systemNowNs()));
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, take));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const stored = receipts.filter(({ outcome }) => outcome.status === "stored").length;
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  console.log(
    `ingest of ${name}: ${stored} of ${REPORTS} reports (${(bytes / 1e6).toFixed(1)} MB) in ${seconds.toFixed(2)} s: ` +
      `${Math.round((stored * each) / seconds)}/s, ${ingest.batcher.stats.inserts} inserts, ` +
      `${((user + system) / 1e6).toFixed(2)} s of CPU`,
  );
}

async function benchQueries(): Promise<void> {
  const place = { asOfNs: END_OF_TIME_NS, offset: 0 };
  const late = systemNowNs() - 60n * S;
  const rtt = { ...FILTER, method: 0, local: undefined };
  const sessions = { ...FILTER, senderAddress: undefined, reflectorAddress: undefined, ssid: 0 };
  await time("ListRtt, 100 flows over 80 000 summaries", () => listRtt(store, rtt, "", 0n, 100, place));
  await time("ListRtt, last minute, 100 flows", () => listRtt(store, { ...rtt, fromNs: late }, "", 0n, 100, place));
  await time("ListRtt, last minute by second, 1000 rows", () =>
    listRtt(store, { ...rtt, fromNs: late }, "", S, 1000, place),
  );
  await time("ListRttSamples, first 1000 of 2 400 000", () => listRttSamples(store, rtt, 1000, undefined));
  await time("ListRttSamples, last minute, 1000", () =>
    listRttSamples(store, { ...rtt, fromNs: late }, 1000, undefined),
  );
  await time("ListDelay, 20 sessions over 16 000 summaries", () =>
    listDelays(store, sessions, ["forward", "backward"], 0n, 100, place),
  );
  await time("ListRoundTrips, last minute by second", () =>
    listDelays(store, { ...sessions, fromNs: late }, ["round_trip"], S, 1000, place),
  );
  await time("ListThroughput, top 100 of 280 000 records", () =>
    listThroughputSums(store, FILTER, "flows", "bytes", 100, place),
  );
}

async function benchFlowQueries(store: Store, rows: number): Promise<void> {
  await store.command("TRUNCATE TABLE flow_record");
  const seconds = 3600;
  const now = systemNowNs();
  const first = now - BigInt(seconds) * S;
  const began = performance.now();
  await store.command(
    `INSERT INTO flow_record (item, nth, from_ns, to_ns, agent, service, role, interface, boot_id, sequence, arrived_ns,
      stored_ns, leading, addressed, source_address, destination_address, protocol, source_port, destination_port,
      flow_interface, direction, packets, l3_bytes, l2_bytes, flow_start_ns, tcp_flags, end_reason)
    SELECT 'record', number % 350, ${first} + intDiv(number * ${seconds}, ${rows}) * 1000000000 + number % 1000 AS t,
      t + 5000000000, concat('agent-', toString(number % 10)), 'tcflows', 'observer', 'eth0',
      concat('boot-', toString(number % 10)), intDiv(number, 3500) + 1, t + 5100000000, t + 5200000000,
      number % 350 = 0, true, toIPv6(concat('::ffff:10.0.', toString(intDiv(f, 250)), '.', toString(f % 250))),
      toIPv6(concat('::ffff:10.1.0.', toString(f % 50))), 6, 1024 + f, 443, 'eth0', 1 + f % 2,
      1 + cityHash64(number) % 1000, 100000 + cityHash64(number) % 1000000, 0, ${first}, 27, 2
    FROM (SELECT number, cityHash64(number, 1) % ${FLOWS} AS f FROM numbers(${rows}))
    SETTINGS max_execution_time = 0`,
  );
  const [size] = await store.query(
    "SELECT count() AS parts, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'flow_record'",
  );
  console.log(
    `${rows} flow records made in ${((performance.now() - began) / 1000).toFixed(1)} s: ${size?.["parts"]} parts, ` +
      `${(Number(size?.["bytes"]) / 1e6).toFixed(0)} MB, ${Math.round(process.memoryUsage.rss() / 1e6)} MB resident`,
  );
  const question = { ...FILTER, includeDuplicates: false };
  const late = { ...question, fromNs: now - 60n * S };
  const ten = { family: 4 as const, low: "::ffff:10.0.7.0", high: "::ffff:10.0.7.255" };
  const place = { asOfNs: END_OF_TIME_NS, offset: 0 };
  await time("ListFlows, first 1000 records", () => listFlowRecords(store, question, 1000, undefined));
  await time("ListFlows, last minute, 1000 records", () => listFlowRecords(store, late, 1000, undefined));
  await time("ListFlows, 1000 records of a /24", () =>
    listFlowRecords(store, { ...question, address: ten }, 1000, undefined),
  );
  await time("ListFlows, last minute, top 10 by bytes", () => listFlowSums(store, late, "flows", "bytes", 10, place));
  await time("ListFlows, last minute, top 10 both ways", () => listBiflows(store, late, "bytes", 10, place));
  await time("ListFlows, the whole hour, top 10 by bytes", () =>
    listFlowSums(store, question, "flows", "bytes", 10, place),
  );
  await time("ListFlows, the whole hour, top 10 of a /24", () =>
    listFlowSums(store, { ...question, address: ten }, "flows", "bytes", 10, place),
  );
  await time("ListAgents", () => listAgents(store, 0n, "", 1000));
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
