import { readFileSync } from "node:fs";
import { toBinary } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@waymark/proto/report";
import { type ConsumerInfo, connect, type JetStreamClient, type NatsConnection, nanos } from "nats";
import { ensureStream } from "../src/ingest/nats-streams.ts";
import {
  type Child,
  killChildren,
  running,
  startAckLosingProxy,
  startCollectorProcess,
  startNats,
} from "./children.ts";
import { queryClient, startTestCollector, type TestCollector } from "./harness.ts";
import { type BlockFacts, block, L, reportOf } from "./history.ts";
import { freePort, temporaryDirectory, until } from "./temporary.ts";

const nowNs = () => BigInt(Date.now()) * 1_000_000n;
const B = nowNs() / L - 2n;

let directory: { readonly path: string; readonly remove: () => void };
let port: number;
let url: string;
let server: Child | undefined;
let connection: NatsConnection;
let stream: JetStreamClient;
let collector: TestCollector | undefined;

beforeEach(async () => {
  directory = temporaryDirectory();
  port = await freePort();
  url = `nats://127.0.0.1:${port}`;
});

afterEach(async () => {
  await collector?.close();
  collector = undefined;
  await connection?.close();
  await killChildren();
  directory.remove();
});

async function startServer(): Promise<void> {
  server = await startNats(`${directory.path}/nats`, port);
}

async function connectClient(): Promise<void> {
  connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  stream = connection.jetstream();
}

const healthFile = () => `${directory.path}/health`;

/** Waits until the health file says this, and nothing else. */
function healthIs(text: string): Promise<true> {
  return until(`health "${text}"`, () => (readFileSync(healthFile(), "utf8") === `${text}\n` ? true : undefined));
}

async function startCollectorHere(): Promise<TestCollector> {
  collector = await startTestCollector(`${directory.path}/store`, { nats: [url], healthFile: healthFile() });
  return collector;
}

function report(sequence: bigint, more: Partial<BlockFacts> = {}): Report {
  const fact = block("source", B - sequence, { path: "bus", sequence, ...more });
  return reportOf({ ...fact, storedNs: nowNs() });
}

function publish(item: Report) {
  const id = `left/${item.bootId}/loss/${item.sequence}`;
  return stream.publish(`waymark.v1.loss.${item.agent?.id}.altmark`, toBinary(ReportSchema, item), { msgID: id });
}

// The stream is made by the collector, so a publisher waits until there is one.
async function publishPatiently(item: Report): Promise<void> {
  await until("the stream", () =>
    publish(item).then(
      () => true,
      () => undefined,
    ),
  );
}

async function consumer(): Promise<ConsumerInfo> {
  return (await connection.jetstreamManager()).consumers.info("WAYMARK_LOSS", "collector");
}

// Everything has been delivered and acknowledged. The collector makes the consumer after the stream.
async function drained(): Promise<ConsumerInfo> {
  return until("the stream to be drained", async () => {
    const info = await consumer().catch(() => undefined);
    return info?.num_pending === 0 && info.num_ack_pending === 0 ? info : undefined;
  });
}

async function sentOf(path: string, api: number): Promise<bigint[]> {
  const { blocks } = await queryClient(api).listLoss({ path });
  return blocks.map(({ sentPackets }) => sentPackets);
}

test("no server at the start is no error; when one comes, the streams are made and reports taken", async () => {
  const { apiPort } = await startCollectorHere();
  expect(await sentOf("bus", apiPort)).toEqual([]);
  await startServer();
  await connectClient();
  await publishPatiently(report(1n));
  await drained();
  expect(await sentOf("bus", apiPort)).toEqual([100n]);
  const manager = await connection.jetstreamManager();
  for (const kind of ["loss", "presence"]) {
    const { config } = await manager.streams.info(`WAYMARK_${kind.toUpperCase()}`);
    expect(config).toMatchObject({
      subjects: [`waymark.v1.${kind}.*.*`],
      storage: "file",
      retention: "limits",
      discard: "new",
      max_age: nanos(86_400_000),
      max_bytes: 1 << 30,
      duplicate_window: nanos(600_000),
    });
  }
  expect((await consumer()).config).toMatchObject({ ack_policy: "explicit", max_ack_pending: 1000 });
}, 60_000);

test("a server that is killed and comes back is taken up again", async () => {
  await startServer();
  const { apiPort } = await startCollectorHere();
  await connectClient();
  await publishPatiently(report(1n));
  await drained();
  await healthIs("healthy");
  server?.process.kill("SIGKILL");
  await server?.ended;
  await healthIs("nats is not connected");
  await startServer();
  await healthIs("healthy");
  await publishPatiently(report(2n));
  await until("the second report", async () => ((await sentOf("bus", apiPort)).length === 2 ? true : undefined));
}, 60_000);

test("time that a report waits in the stream is not taken for a wrong clock", async () => {
  await startServer();
  await connectClient();
  await ensureStream(await connection.jetstreamManager(), "loss");
  const item = report(1n);
  item.sentAtNs = nowNs();
  await publish(item);
  const waitedNs = nowNs() - item.sentAtNs;
  const { apiPort } = await startCollectorHere();
  await drained();
  const { agents } = await queryClient(apiPort).listAgents({});
  const offset = agents[0]?.clock?.offset;
  expect((offset?.seconds ?? 0n) * 1_000_000_000n + BigInt(offset?.nanos ?? 0)).toBeLessThanOrEqual(
    waitedNs + 1_000_000n,
  );
}, 60_000);

test("what is refused is acknowledged, and what follows is taken", async () => {
  await startServer();
  const { apiPort } = await startCollectorHere();
  await connectClient();
  await publishPatiently(report(1n));
  await stream.publish("waymark.v1.loss.left.altmark", Buffer.from([255, 255]));
  await stream.publish("waymark.v1.loss.somebody.altmark", toBinary(ReportSchema, report(2n)));
  await stream.publish("waymark.v1.loss.left.stamp", toBinary(ReportSchema, report(3n)));
  await stream.publish("waymark.v1.loss.left.altmark", Buffer.alloc(0));
  await publish(report(4n));
  await drained();
  expect(await sentOf("bus", apiPort)).toEqual([100n, 100n]);
}, 60_000);

test("killed between insert and acknowledgement, with the messages regrouped: nothing twice, nothing lost", async () => {
  await startServer();
  await connectClient();
  const manager = await connection.jetstreamManager();
  await ensureStream(manager, "loss");
  // An operator's consumer: redelivers after one second instead of thirty.
  await manager.consumers.update("WAYMARK_LOSS", "collector", { ack_wait: nanos(1000) });
  const proxy = await startAckLosingProxy(port);
  const store = `${directory.path}/store`;
  for (let sequence = 1n; sequence <= 40n; sequence++) await publish(report(sequence));
  const child = startCollectorProcess(
    [
      String(await freePort()),
      "--listen",
      `127.0.0.1:${await freePort()}`,
      "--store",
      store,
      "--nats",
      `nats://127.0.0.1:${proxy.port}`,
    ],
    { HOME: directory.path },
  );
  await running(child);
  await until("acknowledgements that get lost", () => (proxy.lostAcknowledgements() > 0 ? true : undefined));
  child.process.kill("SIGKILL");
  expect(await child.ended).toBe("SIGKILL");
  await proxy.close();
  expect((await consumer()).num_ack_pending).toBe(40);

  // Now other messages stand between those that are delivered again.
  for (let sequence = 60n; sequence > 40n; sequence--) await publish(report(sequence));
  const { apiPort } = await startCollectorHere();
  await drained();
  const { blocks } = await queryClient(apiPort).listLoss({ path: "bus" });
  expect(blocks.map(({ sentPackets }) => sentPackets)).toEqual(Array.from({ length: 60 }, () => 100n));
}, 120_000);

test("killed at any moment while reports come in: nothing twice, nothing lost", async () => {
  await startServer();
  await connectClient();
  const manager = await connection.jetstreamManager();
  await ensureStream(manager, "loss");
  await manager.consumers.update("WAYMARK_LOSS", "collector", { ack_wait: nanos(1000) });
  const store = `${directory.path}/store`;
  let sequence = 0n;
  for (const batches of [1, 3, 7]) {
    const child = startCollectorProcess(
      [String(await freePort()), "--listen", `127.0.0.1:${await freePort()}`, "--store", store, "--nats", url],
      { HOME: directory.path },
    );
    await running(child);
    const already = (await consumer()).ack_floor.stream_seq;
    const writing = (async () => {
      for (let i = 0; i < 150; i++) await publish(report(++sequence));
    })();
    await until("some acknowledgements", async () =>
      (await consumer()).ack_floor.stream_seq >= already + batches ? true : undefined,
    );
    child.process.kill("SIGKILL");
    await child.ended;
    await writing;
  }
  const { apiPort } = await startCollectorHere();
  await drained();
  const { blocks } = await queryClient(apiPort).listLoss({ path: "bus" });
  expect(blocks.map(({ sentPackets }) => sentPackets)).toEqual(Array.from({ length: Number(sequence) }, () => 100n));
}, 120_000);
