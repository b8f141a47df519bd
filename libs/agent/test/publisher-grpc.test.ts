import { createServer, type Server } from "node:net";
import { jest } from "@jest/globals";
import { type CollectorStub, startCollectorStub } from "./collector-stub.ts";
import {
  closePublishers,
  expectBalanced,
  only,
  openPublisher,
  publishBlocks,
  sequencesTo,
  until,
} from "./publisher-harness.ts";

jest.setTimeout(30_000);

let collector: CollectorStub;

beforeEach(async () => {
  collector = await startCollectorStub();
});

afterEach(async () => {
  await closePublishers();
  await collector[Symbol.asyncDispose]();
});

function receivedSequences(): bigint[] {
  return [...new Set(collector.received.map(({ sequence }) => sequence))].sort((a, b) => Number(a - b));
}

test("a report arrives whole and is acknowledged", async () => {
  const publisher = openPublisher({ targets: [collector.url], nowNs: () => 1_600_000_000_123_456_789n });
  publishBlocks(publisher, 3, 40_000);
  expect(await publisher.flush({ deadlineMs: 10_000 })).toBe(true);
  expect(collector.received).toHaveLength(3);
  expect(collector.received[2]).toMatchObject({
    agent: { id: "host-a", service: "altmark", role: "source", interface: "eth0", version: "0.1.0" },
    bootId: "boot-1",
    kernelBootId: "kernel-1",
    sequence: 3n,
    sentAtNs: 1_600_000_000_123_456_789n,
    clock: { synchronised: true, maxErrorNs: 1_000n },
    counters: { no_match: 7n },
    payload: { case: "loss", value: { blocks: [{ path: "p".repeat(40_000), blockNumber: 2n }] } },
  });
  expect(only(publisher)).toMatchObject({ published: 3, acknowledged: 3, refused: 0, pending: 0, reconnects: 0 });
});

test("what a dying collector has not acknowledged is sent again, and nothing else", async () => {
  const publisher = openPublisher({ targets: [collector.url] });
  publishBlocks(publisher, 50);
  expect(await publisher.flush({ deadlineMs: 10_000 })).toBe(true);
  collector.answer = "wait";
  publishBlocks(publisher, 50);
  await until("some wait for their acknowledgement", () => collector.received.length > 50);
  await collector.stop();
  const beforeRestart = collector.received.length;
  publishBlocks(publisher, 50);
  collector.answer = "stored";
  await collector.listen();
  await until("all are acknowledged", () => only(publisher).acknowledged === 150);
  expect(receivedSequences()).toEqual(sequencesTo(150));
  const again = collector.received.slice(beforeRestart).map(({ sequence }) => sequence);
  expect(again.sort((a, b) => Number(a - b))).toEqual(sequencesTo(150).slice(50));
  expect(only(publisher)).toMatchObject({ dropped: 0, pending: 0 });
  expect(only(publisher).reconnects).toBeGreaterThanOrEqual(1);
});

test("refused reports are dropped, counted, and named once for each reason", async () => {
  const said: string[] = [];
  const log = (event: string, fields?: Readonly<Record<string, unknown>>) =>
    said.push(`${event}: ${fields?.["reason"]}`);
  const logger = { debug: log, info: () => {}, warn: log, error: log };
  collector.answer = { refused: ({ sequence }) => (sequence % 2n === 0n ? "even" : "") };
  const publisher = openPublisher({ targets: [collector.url], logger });
  publishBlocks(publisher, 10);
  expect(await publisher.flush({ deadlineMs: 10_000 })).toBe(true);
  expect(only(publisher)).toMatchObject({ acknowledged: 5, refused: 5, pending: 0 });
  expect(said).toEqual(["report refused: even"]);
  expect(collector.received).toHaveLength(10);
});

test("a slow collector holds back no more than the window, the rest waits here and overflows by count", async () => {
  collector.answer = "wait";
  const publisher = openPublisher({ targets: [collector.url], limits: { inFlight: 8, memoryBytes: 20_000 } });
  publishBlocks(publisher, 1);
  await until("the first has come", () => collector.received.length === 1);
  publishBlocks(publisher, 199);
  const { dropped } = only(publisher);
  expect(dropped).toBeGreaterThan(0);
  await until("all that is left is acknowledged", () => {
    collector.release();
    return only(publisher).pending === 0;
  });
  const stats = only(publisher);
  expect(stats).toMatchObject({ dropped, acknowledged: 200 - dropped, reconnects: 0 });
  expectBalanced(stats);
  expect(collector.received).toHaveLength(200 - dropped);
  expect(receivedSequences()).toEqual([1n, ...sequencesTo(200).slice(dropped + 1)]);
});

test("no more than the window is ever unacknowledged", async () => {
  collector.answer = "wait";
  const publisher = openPublisher({ targets: [collector.url], limits: { inFlight: 4 } });
  publishBlocks(publisher, 30);
  let released = 0;
  await until("all are acknowledged", () => {
    expect(collector.received.length - released).toBeLessThanOrEqual(4);
    released = collector.received.length;
    collector.release();
    return only(publisher).acknowledged === 30;
  });
});

test("closing does not wait for a collector that accepts connections and says nothing", async () => {
  await using mute = await listenMute();
  const publisher = openPublisher({ targets: [`grpc://127.0.0.1:${mute.port}`, `nats://127.0.0.1:${mute.port}`] });
  publishBlocks(publisher, 1);
  await until("somebody has connected", () => mute.connections() > 0);
  expect(await publisher.flush({ deadlineMs: 20 })).toBe(false);
  await publisher.close();
  expect(publisher.stats().targets).toMatchObject([{ pending: 1 }, { pending: 1 }]);
});

test("an end that is no collector is tried again with a back-off", async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on("error", () => {});
    socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
  });
  const port = await listen(server);
  const publisher = openPublisher({ targets: [`grpc://127.0.0.1:${port}`] });
  publishBlocks(publisher, 1);
  await until("a second attempt", () => connections >= 3);
  expect(await publisher.flush({ deadlineMs: 300 })).toBe(false);
  // Each attempt is a probe and a connection; the first waits are 50 to 100, 100 to 200 ms.
  expect(connections).toBeLessThan(30);
  await publisher.close();
  server.close();
});

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

async function listenMute() {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on("error", () => {});
    socket.resume();
  });
  const port = await listen(server);
  return {
    port,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
