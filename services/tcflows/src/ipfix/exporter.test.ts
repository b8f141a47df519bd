import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { silentLogger } from "@waymark/agent";
import { waitFor } from "@waymark/testkit";
import { ipFlow } from "../../test/flow-id.ts";
import { recordOf } from "../../test/views.ts";
import { IpfixExporter } from "./exporter.ts";
import { parseIpfixTarget } from "./target.ts";

const DEADLINE_MS = 20_000;

function exporterTo(url: string): IpfixExporter {
  const target = parseIpfixTarget(url);
  if (!target) throw new Error(url);
  const context = { wallNs: (ns: number) => 1_700_000_000_000_000_000n + BigInt(ns), ifindexOf: () => 2 };
  const nowNs = () => 1_700_000_000_000_000_000n;
  const exporter = new IpfixExporter({ target, context, nowNs, logger: silentLogger });
  open.push(() => exporter.close(1));
  return exporter;
}

function fill(exporter: IpfixExporter, count: number): void {
  for (let i = 0; i < count; i++) exporter.record(recordOf(ipFlow(17, `10.0.0.1:${1 + (i % 65_535)}`, "10.0.0.2:9")));
  exporter.flush();
}

/** Length, sequence number and ids of the sets of each message in some octets. */
function messagesOf(octets: Uint8Array): { sequence: number; sets: number[] }[] {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const messages: { sequence: number; sets: number[] }[] = [];
  for (let at = 0; at + 16 <= octets.length && at + view.getUint16(at + 2) <= octets.length; ) {
    const end = at + view.getUint16(at + 2);
    const message = { sequence: view.getUint32(at + 8), sets: [] as number[] };
    for (let set = at + 16; set < end; set += view.getUint16(set + 2)) message.sets.push(view.getUint16(set));
    messages.push(message);
    at = end;
  }
  return messages;
}

interface Listener {
  readonly sockets: Socket[];
  readonly port: number;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** What a test leaves open, whatever becomes of it. */
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function listen(port = 0): Promise<Listener> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    sockets.push(socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  open.push(close);
  return { sockets, port: (server.address() as AddressInfo).port, close };
}

/** All that a socket gets. */
function reader(socket: Socket): () => Uint8Array {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  return () => Buffer.concat(chunks);
}

test("over TCP: every session begins with the templates and sequence 0; what waited goes out then", async () => {
  const first = await listen();
  const exporter = exporterTo(`tcp://127.0.0.1:${first.port}`);
  await waitFor(() => first.sockets.length === 1, { deadlineMs: DEADLINE_MS });
  const [socket] = first.sockets;
  const read = reader(socket as Socket);
  fill(exporter, 300);
  await waitFor(() => messagesOf(read()).length >= 2, { deadlineMs: DEADLINE_MS });
  expect(messagesOf(read()).map(({ sets }) => sets.includes(2))).toEqual([
    true,
    ...messagesOf(read())
      .slice(1)
      .map(() => false),
  ]);
  expect(exporter.counts).toMatchObject({ sent: 300n, dropped: 0n });

  await first.close();
  const second = await listen(first.port);
  await waitFor(() => second.sockets.length === 1, { deadlineMs: DEADLINE_MS });
  const again = reader(second.sockets[0] as Socket);
  fill(exporter, 10);
  await waitFor(() => messagesOf(again()).length >= 1, { deadlineMs: DEADLINE_MS });
  expect(messagesOf(again())[0]).toMatchObject({ sequence: 0, sets: expect.arrayContaining([2]) });
});

test("over UDP: templates come first, and not with every message", async () => {
  const socket = createSocket("udp4");
  const messages: { sequence: number; sets: number[] }[] = [];
  socket.on("message", (message) => messages.push(...messagesOf(message)));
  open.push(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const exporter = exporterTo(`127.0.0.1:${socket.address().port}`);
  fill(exporter, 100);
  await waitFor(() => exporter.counts.sent === 100n && messages.length >= 6, { deadlineMs: DEADLINE_MS });
  expect(messages[0]).toMatchObject({ sequence: 0, sets: [2, 256] });
  expect(messages.slice(1).every(({ sets }) => !sets.includes(2))).toBe(true);
});

test("nobody there: a bounded number waits, the oldest are dropped and counted", async () => {
  const gone = await listen();
  await gone.close();
  const exporter = exporterTo(`tcp://127.0.0.1:${gone.port}`);
  fill(exporter, 70_000);
  expect(exporter.counts).toMatchObject({ sent: 0n, dropped: BigInt(70_000 - 65_536) });
  await waitFor(() => exporter.counts.errors > 0n, { deadlineMs: DEADLINE_MS });
}, 60_000);

test("a collector that is there gets a long round as it is made, and nothing is dropped", async () => {
  const { sockets, port } = await listen();
  const exporter = exporterTo(`tcp://127.0.0.1:${port}`);
  await waitFor(() => sockets.length === 1, { deadlineMs: DEADLINE_MS });
  (sockets[0] as Socket).resume();
  fill(exporter, 10);
  await waitFor(() => exporter.counts.sent === 10n, { deadlineMs: DEADLINE_MS });
  const record = recordOf(ipFlow(17, "10.0.0.1:1", "10.0.0.2:9"));
  for (let i = 0; i < 2048; i++) exporter.record(record);
  expect(exporter.counts.sent).toBeGreaterThan(10n);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 60_000; i++) exporter.record(record);
    await exporter.drain(DEADLINE_MS);
  }
  expect(exporter.counts).toMatchObject({ sent: BigInt(10 + 2048 + 180_000), dropped: 0n });
}, 60_000);

test("what another interface counts is not exported twice", async () => {
  const { sockets, port } = await listen();
  const exporter = exporterTo(`tcp://127.0.0.1:${port}`);
  await waitFor(() => sockets.length === 1, { deadlineMs: DEADLINE_MS });
  exporter.record(recordOf(ipFlow(17, "10.0.0.1:1", "10.0.0.2:2"), { duplicate: true }));
  exporter.record(recordOf(ipFlow(17, "10.0.0.1:3", "10.0.0.2:4")));
  exporter.flush();
  await waitFor(() => exporter.counts.sent > 0n, { deadlineMs: DEADLINE_MS });
  expect(exporter.counts.sent).toBe(1n);
});
