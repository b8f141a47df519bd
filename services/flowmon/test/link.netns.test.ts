import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parsePacket, readPcap } from "@waymark/packet";
import {
  Capture,
  describePrivileged,
  type LinkEnd,
  type Namespace,
  NetLab,
  sendDatagrams,
  waitFor,
} from "@waymark/testkit";
import { type FlowLine, FlowmonProcess, sum } from "./flowmon-process.ts";
import { plainGaps, twoPass } from "./reference.ts";

const DEVICE = "eth0";
const NEAR = "10.85.0.1";
const FAR = "10.85.0.2";
const DEADLINE_MS = 60_000;
const REASONS = ["not_ip", "unparsable", "other_protocol", "no_match", "own", "inactive"];

interface Link extends AsyncDisposable {
  readonly lab: NetLab;
  /** Measures what arrives. */
  readonly near: Namespace;
  readonly far: Namespace;
}

async function build(options: Pick<LinkEnd, "mtu"> = {}): Promise<Link> {
  const lab = await NetLab.create();
  const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
  const end = (ns: Namespace, address: string) => ({
    ns,
    device: DEVICE,
    addresses: [`${address}/24`],
    offloads: { gro: false },
    ...options,
  });
  await lab.link(end(near, NEAR), end(far, FAR));
  return { lab, near, far, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

const node = (code: string) => [process.execPath, "-e", code];

/** Sends from port 5000 + i with the i-th list of gaps, in milliseconds. */
const SCHEDULES = `
  const dgram = require("node:dgram");
  const alike = (count, gap) => Array.from({ length: count }, (_, i) => gap(i));
  const lists = [
    alike(80, () => 5),
    alike(80, (i) => (i % 2 === 0 ? 2 : 8)),
    alike(80, () => -5 * Math.log(1 - Math.random())),
    [...alike(20, () => 5), 1900, 5, 5],
    [...alike(20, () => 5), 2100, 5, 10, 5],
  ];
  lists.forEach((gaps, i) => {
    const socket = dgram.createSocket("udp4");
    let at = 0, due = performance.now();
    const next = () => {
      socket.send(Buffer.alloc(32), 9, "${NEAR}");
      if (at === gaps.length) return socket.close();
      due += gaps[at++];
      const wait = () => (performance.now() >= due ? next() : setTimeout(wait, Math.max(0, due - performance.now() - 1)));
      wait();
    };
    socket.bind(5000 + i, next);
  });
`;

/** A datagram with the pattern at every position from 0 to 4999 and that position, plus one, two octets behind it. */
const PATTERNS = `
  const socket = require("node:dgram").createSocket("udp4");
  const send = (position) => {
    if (position === 5001) return socket.close();
    const payload = Buffer.alloc(5100, 0xde);
    payload.writeUInt32BE(0xdeadbeef, position);
    payload.writeUInt32BE(position + 1, position + 6);
    socket.send(payload, 9, "${NEAR}", () => send(position + 1));
  };
  socket.bind(5000, () => { socket.setSendBufferSize(100_000); send(0); });
`;

describePrivileged("on a link", () => {
  test("mean and deviation of the gaps are those of a capture of the same packets", async () => {
    await using link = await build();
    const flowmon = await FlowmonProcess.start(link.near, "-i", DEVICE, "-t", "3600", "--format", "jsonl");
    const filter = { direction: "in", filter: "udp dst port 9" } as const;
    const capture = await Capture.start(link.lab, link.near, DEVICE, filter);
    await link.far.exec(node(SCHEDULES), { deadlineMs: DEADLINE_MS });
    const lines = (await flowmon.stop()).filter((line) => line.destination_port === 9);
    await capture.stopAfter(
      sum(lines, (line) => line.packets),
      DEADLINE_MS,
    );
    const arrivals = timesByPort(await readFile(capture.path));
    expect(lines).toHaveLength(5);
    for (const line of lines) {
      const { list } = plainGaps(arrivals.get(Number(/:(\d+) >/.exec(line.flow ?? "")?.[1])) ?? []);
      const { mean, deviation } = twoPass(list);
      expect(line.gaps).toBe(list.length);
      // The capture's time stamps are taken some microseconds before ours, and written in whole microseconds.
      expect(Math.abs((line.gap_mean_ns ?? 0) / mean - 1)).toBeLessThan(0.01);
      expect(Math.abs((line.gap_stddev_ns ?? 0) - deviation)).toBeLessThan(0.02 * deviation + 50_000);
    }
  });

  test("a number behind a pattern is found at every position from 0 to 4999, and not beyond", async () => {
    await using link = await build({ mtu: 9000 });
    const file = join(link.lab.folder, "config.json");
    await writeFile(file, '{ "PATTERN": "0xdeadbeef", "OFFSET": 6 }');
    const argv = ["-i", DEVICE, "-packet_loss", "-conf", file, "-t", "3600", "--format", "jsonl"];
    const flowmon = await FlowmonProcess.start(link.near, ...argv);
    await link.far.exec(node(PATTERNS), { deadlineMs: DEADLINE_MS });
    const [line, ...others] = (await flowmon.stop()).filter(({ destination_port }) => destination_port === 9);
    expect(others).toEqual([]);
    expect(line?.packets).toBe(5001);
    const nothing = { reverse: 0, small: 0, big: 0, duplicates: 0, reordered: 0, skipped: 0, lost: 0, restarts: 0 };
    expect(line?.sequence).toMatchObject({ received: 5000, current: 5000, ...nothing });
  });

  test("under load every packet of the interface is in a flow, in the overflow or in a reason", async () => {
    await using link = await build();
    const before = await link.near.statistics(DEVICE);
    const metrics = ["--metrics", "127.0.0.1:9100"];
    const table = ["--table-size", "50", "-t", "0.1"];
    const flowmon = await FlowmonProcess.start(link.near, "-i", DEVICE, "--format", "jsonl", ...table, ...metrics);
    const attached = await link.near.statistics(DEVICE);
    const sends = [1, 2].map((i) =>
      sendDatagrams(link.far, { to: NEAR, port: 9, count: 60_000, flows: 150, fromPort: 10_000 * i }),
    );
    await Promise.all(sends);
    const counted = async () => {
      const { stdout } = await link.near.exec(["curl", "-s", "http://127.0.0.1:9100/metrics"]);
      const values = REASONS.map(
        (name) => new RegExp(`^waymark_flowmon_${name}_total\\{.*\\} (\\d+)`, "m").exec(stdout)?.[1],
      );
      return values.reduce((total, value) => total + Number(value), 0);
    };
    await waitFor(async () => (await counted()) >= 0, { deadlineMs: DEADLINE_MS, what: "metrics" });
    const reasons = await counted();
    const after = await link.near.statistics(DEVICE);
    const lines = await flowmon.stop();
    const ended = await link.near.statistics(DEVICE);
    const all = sum(lines, (line) => line.packets) + reasons;
    // A stray neighbour solicitation may pass while the programs come and go.
    expect(all).toBeGreaterThanOrEqual(Number(after.rxPackets - attached.rxPackets));
    expect(all).toBeLessThanOrEqual(Number(ended.rxPackets - before.rxPackets));
    // What the receiver's queue refused, the other end of the veth counts as dropped by itself.
    const { txDropped } = await link.far.statistics(DEVICE);
    expect(sum(lines.filter(isUdp), (line) => line.packets)).toBe(120_000 - Number(txDropped));
    expect(lines.some((line) => line.overflow === "UDP")).toBe(true);
  });
});

const isUdp = (line: FlowLine) => line.overflow === "UDP" || line.destination_port === 9;

/** Times of arrival in nanoseconds by source port. */
function timesByPort(file: Uint8Array): Map<number, bigint[]> {
  const times = new Map<number, bigint[]>();
  for (const { bytes, timeNs = 0n } of readPcap(file)?.records ?? []) {
    const packet = parsePacket(bytes);
    const port = packet.ok ? packet.ports?.source : undefined;
    if (port !== undefined) times.set(port, [...(times.get(port) ?? []), timeNs]);
  }
  return times;
}
