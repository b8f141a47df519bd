import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { type NatsServer, startNatsServer } from "@waymark/testkit";
import type { Endpoint } from "../src/index.ts";
import {
  addLossStream,
  closePublishers,
  expectBalanced,
  only,
  openBroker,
  openPublisher,
  publishBlocks,
  sequencesOf,
  sequencesTo,
  until,
} from "./publisher-harness.ts";

jest.setTimeout(30_000);

let server: NatsServer;

beforeEach(async () => {
  server = await startNatsServer();
});

afterEach(async () => {
  await closePublishers();
  await server[Symbol.asyncDispose]();
});

test("a report arrives whole, under its subject and message id", async () => {
  await using broker = await openBroker(server.url);
  await addLossStream(broker.manager);
  const publisher = openPublisher({ targets: [server.url], nowNs: () => 1_600_000_000_123_456_789n });
  publishBlocks(publisher, 2);
  expect(await publisher.flush({ deadlineMs: 10_000 })).toBe(true);
  const [first, second] = await broker.reports();
  expect(first?.subject).toBe("waymark.v1.loss.host-a.altmark");
  expect(first?.messageId).toBe("host-a/boot-1/loss/1");
  expect(second?.messageId).toBe("host-a/boot-1/loss/2");
  expect(second?.report).toMatchObject({
    agent: { id: "host-a", service: "altmark", role: "source", interface: "eth0", version: "0.1.0" },
    bootId: "boot-1",
    kernelBootId: "kernel-1",
    sequence: 2n,
    sentAtNs: 1_600_000_000_123_456_789n,
    clock: { synchronised: true, maxErrorNs: 1_000n },
    counters: { no_match: 7n, reports_dropped: 0n },
    payload: { case: "loss", value: { blocks: [{ path: "default", blockNumber: 1n }] } },
  });
  expect(only(publisher)).toMatchObject({ published: 2, acknowledged: 2, pending: 0, dropped: 0, connected: true });
});

test("every kind of report has a sequence of its own", async () => {
  await using broker = await openBroker(server.url);
  await addLossStream(broker.manager, { subjects: ["waymark.v1.>"] });
  const publisher = openPublisher({ targets: [server.url] });
  publisher.publish({ case: "presence", value: { intervalNs: 1n } });
  publishBlocks(publisher, 2);
  publisher.publish({ case: "presence", value: { intervalNs: 2n } });
  expect(await publisher.flush({ deadlineMs: 10_000 })).toBe(true);
  const ids = (await broker.reports()).map(({ messageId }) => messageId).sort();
  expect(ids).toEqual([
    "host-a/boot-1/loss/1",
    "host-a/boot-1/loss/2",
    "host-a/boot-1/presence/1",
    "host-a/boot-1/presence/2",
  ]);
});

test("nothing is lost or stored twice when the broker is killed again and again", async () => {
  {
    await using setup = await openBroker(server.url);
    await addLossStream(setup.manager);
  }
  const publisher = openPublisher({ targets: [server.url] });
  for (let round = 1; round <= 3; round++) {
    publishBlocks(publisher, 200);
    // Killed while the window is full, and also while nothing is connected.
    await until("the first of the round are stored", () => only(publisher).acknowledged > (round - 1) * 400);
    await server.kill("SIGKILL");
    publishBlocks(publisher, 200);
    await server.start();
    await until("all are stored", () => only(publisher).acknowledged === round * 400);
  }
  const stats = only(publisher);
  expect(stats.reconnects).toBeGreaterThanOrEqual(3);
  expect(stats.dropped).toBe(0);
  expectBalanced(stats);
  await using broker = await openBroker(server.url);
  const stored = await broker.reports();
  expect(sequencesOf(stored)).toEqual(sequencesTo(1200));
  expect(new Set(stored.map(({ messageId }) => messageId)).size).toBe(1200);
});

test("reports wait while there is no stream", async () => {
  await using broker = await openBroker(server.url);
  const publisher = openPublisher({ targets: [server.url] });
  publishBlocks(publisher, 20);
  await until("a connection", () => only(publisher).connected);
  expect(await publisher.flush({ deadlineMs: 100 })).toBe(false);
  expect(only(publisher)).toMatchObject({ acknowledged: 0, pending: 20 });
  await addLossStream(broker.manager);
  await until("all are stored", () => only(publisher).acknowledged === 20);
  expect(sequencesOf(await broker.reports())).toEqual(sequencesTo(20));
});

test("reports wait while the stream is full", async () => {
  await using broker = await openBroker(server.url);
  await addLossStream(broker.manager, { max_msgs: 5 });
  const publisher = openPublisher({ targets: [server.url] });
  publishBlocks(publisher, 12);
  await until("the stream is full", () => only(publisher).acknowledged === 5);
  const kept = await broker.reports();
  expect(sequencesOf(kept)).toEqual(sequencesTo(5));
  await broker.manager.streams.purge("WAYMARK_LOSS");
  await until("five more", () => only(publisher).acknowledged === 10);
  const more = await broker.reports();
  await broker.manager.streams.purge("WAYMARK_LOSS");
  await until("the rest", () => only(publisher).pending === 0);
  expect(sequencesOf([...kept, ...more, ...(await broker.reports())])).toEqual(sequencesTo(12));
});

test("what a full stream does not take is in the spool, and the next process delivers it", async () => {
  await using broker = await openBroker(server.url);
  await addLossStream(broker.manager, { max_msgs: 5 });
  const spoolDir = mkdtempSync(join(tmpdir(), "waymark-spool-"));
  const first = openPublisher({ targets: [server.url], spoolDir });
  publishBlocks(first, 12);
  await until("the stream is full", () => only(first).acknowledged === 5 && only(first).spooled === 12);
  await first.close();
  const kept = await broker.reports();
  await broker.manager.streams.purge("WAYMARK_LOSS");
  await broker.manager.streams.update("WAYMARK_LOSS", { max_msgs: 100 });
  const second = openPublisher({ targets: [server.url], spoolDir, bootId: "boot-2" });
  publishBlocks(second, 1);
  await until("all are stored", () => only(second).recovered === 7 && only(second).pending === 0);
  const ids = [...kept, ...(await broker.reports())].map(({ messageId }) => messageId);
  const expected = [...sequencesTo(12).map((sequence) => `host-a/boot-1/loss/${sequence}`), "host-a/boot-2/loss/1"];
  expect(ids.sort()).toEqual(expected.sort());
  rmSync(spoolDir, { recursive: true });
});

test("a report that the stream will never take is refused, the others go on", async () => {
  await using broker = await openBroker(server.url);
  await addLossStream(broker.manager, { max_msg_size: 1_000 });
  const publisher = openPublisher({ targets: [server.url] });
  publishBlocks(publisher, 1);
  publishBlocks(publisher, 1, 2_000);
  publishBlocks(publisher, 1);
  expect(await publisher.flush({ deadlineMs: 10_000 })).toBe(true);
  expect(only(publisher)).toMatchObject({ published: 3, acknowledged: 2, refused: 1, pending: 0 });
  expect(sequencesOf(await broker.reports())).toEqual([1n, 3n]);
});

test("a queue that overflows drops the oldest and counts every one", async () => {
  {
    await using setup = await openBroker(server.url);
    await addLossStream(setup.manager);
  }
  await server.kill("SIGKILL");
  const publisher = openPublisher({ targets: [server.url], limits: { memoryBytes: 50_000 } });
  publishBlocks(publisher, 500);
  const { dropped, pending } = only(publisher);
  expect(dropped).toBeGreaterThan(0);
  expect(dropped + pending).toBe(500);
  await server.start();
  await using broker = await openBroker(server.url);
  expect(await publisher.flush({ deadlineMs: 15_000 })).toBe(true);
  const stored = sequencesOf(await broker.reports());
  expect(stored).toEqual(sequencesTo(500).slice(dropped));
  publishBlocks(publisher, 1);
  expect(await publisher.flush({ deadlineMs: 10_000 })).toBe(true);
  const last = (await broker.reports()).at(-1);
  expect(last?.report.counters["reports_dropped"]).toBe(BigInt(dropped));
  expectBalanced(only(publisher));
});

test("the time of sending is that of the transmission that arrived", async () => {
  await using broker = await openBroker(server.url);
  let now = 1_000n;
  const publisher = openPublisher({ targets: [server.url], nowNs: () => now });
  publishBlocks(publisher, 1);
  await until("a connection", () => only(publisher).connected);
  expect(await publisher.flush({ deadlineMs: 50 })).toBe(false);
  now = 2_000n;
  await addLossStream(broker.manager);
  await until("it is stored", () => only(publisher).acknowledged === 1);
  expect((await broker.reports())[0]?.report.sentAtNs).toBe(2_000n);
});

test("the endpoints are known before the connection is made", async () => {
  const seen: { endpoints: readonly Endpoint[]; connected: boolean }[] = [];
  const publisher = openPublisher({
    targets: [`nats://localhost:${server.port}`],
    onEndpointsChange: (endpoints) => seen.push({ endpoints, connected: only(publisher).connected }),
  });
  await until("a connection", () => only(publisher).connected);
  expect(seen).toHaveLength(1);
  expect(seen[0]?.connected).toBe(false);
  expect(seen[0]?.endpoints).toContainEqual({ address: "127.0.0.1", port: server.port });
  expect(publisher.localEndpoints()).toEqual(seen[0]?.endpoints);
});

test("each of several targets gets every report; a dead one hinders nobody", async () => {
  await using broker = await openBroker(server.url);
  await addLossStream(broker.manager);
  await using other = await startNatsServer();
  await using otherBroker = await openBroker(other.url);
  await addLossStream(otherBroker.manager);
  const publisher = openPublisher({ targets: [server.url, other.url, "grpc://127.0.0.1:1"] });
  publishBlocks(publisher, 30);
  await until(
    "two have all",
    () => publisher.stats().targets.filter(({ acknowledged }) => acknowledged === 30).length === 2,
  );
  expect(sequencesOf(await broker.reports())).toEqual(sequencesTo(30));
  expect(sequencesOf(await otherBroker.reports())).toEqual(sequencesTo(30));
  expect(publisher.stats().targets[2]).toMatchObject({ acknowledged: 0, pending: 30, connected: false });
});
