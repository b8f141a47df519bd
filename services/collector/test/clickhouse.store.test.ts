import { FlowGrouping, LossVerdict } from "@waymark/proto/query";
import { openClickHouse } from "../src/store/clickhouse.ts";
import { type ClickHouseFront, startClickHouseFront } from "./clickhouse-front.ts";
import { distributionOf, expectStatistics } from "./distributions.ts";
import { Pusher, queryClient, startTestCollector, type TestCollector } from "./harness.ts";
import { type BlockFacts, block, flow, L, presence, reportOf } from "./history.ts";
import { key, octets, record, reportFrom } from "./kind-reports.ts";
import { freePort, temporaryDirectory } from "./temporary.ts";

// A collector with --store http://…, against the real engine behind a front that speaks the server's protocol.

const directory = temporaryDirectory();
const nowNs = () => BigInt(Date.now()) * 1_000_000n;
const B = nowNs() / L - 2n;
let front: ClickHouseFront;
let collector: TestCollector;
let pusher: Pusher;

async function start(): Promise<void> {
  const place = new URL(front.url);
  place.username = "waymark";
  place.password = "p@ss:word";
  collector = await startTestCollector(`${place.href}measured`);
  pusher = new Pusher(collector.grpcPort);
}

async function stop(): Promise<void> {
  pusher.close();
  await collector.close();
}

beforeAll(async () => {
  front = await startClickHouseFront(directory.path);
  await start();
});

afterAll(async () => {
  await stop();
  await front.close();
  directory.remove();
});

function recent(role: "source" | "sink", more: Partial<BlockFacts>, blockNumber = B) {
  return reportOf({ ...block(role, blockNumber, more), storedNs: nowNs() });
}

async function blocksOf(path: string) {
  return (await queryClient(collector.apiPort).listLoss({ path })).blocks;
}

test("gives name and password to the server, and to nobody else", async () => {
  expect(front.lastUser()).toBe(`Basic ${Buffer.from("waymark:p@ss:word").toString("base64")}`);
  const store = await openClickHouse(new URL(`${front.url.replace("//", "//me:secret@")}/measured`));
  expect(store.location).not.toContain("secret");
  await store.close();
});

test("stores and answers the same, names with quotes and backslashes included", async () => {
  const path = 'it\'s \\ "here"';
  const joined = reportOf(presence("source", true, nowNs(), { path }));
  await pusher.push(joined, recent("source", { path }), recent("sink", { path, flows: [flow("default", 91n)] }));
  expect(await blocksOf(path)).toMatchObject([{ path, lostPackets: 9n, verdict: LossVerdict.COMPLETE }]);
  const { paths } = await queryClient(collector.apiPort).listPaths({ path });
  expect(paths).toMatchObject([{ path, flows: ["default"], confirmed: true }]);
  expect((await queryClient(collector.apiPort).listAgents({})).agents).toMatchObject([
    { agent: "left" },
    { agent: "right" },
  ]);
});

test("stores and answers every kind", async () => {
  const begin = nowNs() - 60_000_000_000n;
  const times = { fromNs: begin, toNs: begin + 1_000_000_000n };
  const values = distributionOf([100, 200, 300]);
  const from = { id: "every", interface: "eth0", role: "observer", boot: "every" };
  const summary = { subject: { case: "flow" as const, value: 0 }, rtt: values, ...times };
  const columns = { flow: [0], atNs: [begin], rttNs: [7n], method: [1], local: [true] };
  const session = { senderAddress: octets("10.0.0.1"), reflectorAddress: octets("2001:db8::1") };
  const delay = { sentPackets: 3n, forward: distributionOf([-5]), errorNs: 9n, ...times };
  const gaps = { flow: key(), gaps: 2n, gapMeanNs: 1.5, ...times };
  const answers = await pusher.push(
    reportFrom({ ...from, service: "tcflows" }, 1n, { case: "flows", value: { records: [record(key(), begin)] } }),
    reportFrom({ ...from, service: "pping" }, 1n, {
      case: "rtt",
      value: { flows: [key()], summaries: [summary], samples: columns },
    }),
    reportFrom({ ...from, service: "stamp", role: "sender" }, 1n, {
      case: "delay",
      value: { sessions: [session], summaries: [delay] },
    }),
    reportFrom({ ...from, service: "flowmon" }, 1n, { case: "throughput", value: { records: [gaps] } }),
  );
  expect(answers.map(({ refused }) => refused)).toEqual(["", "", "", ""]);
  const client = queryClient(collector.apiPort);
  for (const grouping of [FlowGrouping.RECORDS, FlowGrouping.FLOWS, FlowGrouping.BIFLOWS]) {
    expect((await client.listFlows({ grouping })).flows).toMatchObject([
      { packets: 10n, flow: { protocolName: "tcp" } },
    ]);
  }
  const { rtts } = await client.listRtt({ address: "10.0.0.0/24" });
  expectStatistics(rtts[0]?.rtt, [100, 200, 300]);
  expect((await client.listRttSamples({})).samples).toMatchObject([{ rtt: { nanos: 7 }, confidenceRatio: 1 }]);
  const { delays } = await client.listDelay({ reflectorAddress: "2001:db8::1" });
  expect(delays).toMatchObject([
    { forward: { delay: { min: { nanos: -5 } } }, error: { nanos: 9 }, trustworthy: false },
  ]);
  const { throughputs } = await client.listThroughput({ grouping: FlowGrouping.FLOWS });
  expect(throughputs).toMatchObject([{ gapMeanNs: 1.5, l3BytesPerSecond: 0 }]);
  expect(throughputs[0]?.gapStddevNs).toBeUndefined();
});

test("stores nothing twice after a restart", async () => {
  const reports = [recent("source", { path: "twice" }), recent("sink", { path: "twice" })];
  await pusher.push(...reports);
  await stop();
  await start();
  await pusher.push(...reports);
  expect(await blocksOf("twice")).toMatchObject([{ sentPackets: 100n, receivedPackets: 100n }]);
});

test("an insert that fails is repeated until it works, and acknowledged only then", async () => {
  front.fail("refused before it is stored");
  front.fail("refused before it is stored");
  const answers = await pusher.push(recent("source", { path: "retried" }));
  expect(answers.map(({ refused }) => refused)).toEqual([""]);
  expect(await blocksOf("retried")).toMatchObject([{ sentPackets: 100n }]);
});

test("an insert that was stored although its answer was lost is not stored again", async () => {
  const before = front.inserts();
  front.fail("cut after it is stored");
  await pusher.push(recent("source", { path: "cut" }), recent("sink", { path: "cut" }));
  expect(await blocksOf("cut")).toMatchObject([{ sentPackets: 100n, receivedPackets: 100n, lostPackets: 0n }]);
  expect(front.inserts()).toBeGreaterThan(before);
});

test("a report that the store will never take is refused alone", async () => {
  front.fail("unparsable");
  front.fail("unparsable");
  const reports = [recent("source", { path: "poison" }), recent("sink", { path: "poison" })];
  const answers = await pusher.push(...reports);
  const refused = answers.map((answer) => answer.refused).filter((text) => text !== "");
  expect(refused).toEqual(["the store cannot take it"]);
  expect(await blocksOf("poison")).toHaveLength(1);
});

test("a server that does not answer is an error at the start", async () => {
  await expect(openClickHouse(new URL(`http://127.0.0.1:${await freePort()}/x`))).rejects.toThrow(/open store/);
});
