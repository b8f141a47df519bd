import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildPacket } from "@waymark/packet";
import {
  describePrivileged,
  type LinkEnd,
  MeasuredPath,
  type Namespace,
  NetLab,
  ping,
  sendDatagrams,
  sendFrames,
  waitFor,
} from "@waymark/testkit";
import { type FlowLine, FlowmonProcess, fetchIn, sum } from "./flowmon-process.ts";

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
      const text = await fetchIn(link.near, 9100);
      const values = REASONS.map(
        (name) => new RegExp(`^waymark_flowmon_${name}_total\\{.*\\} (\\d+)`, "m").exec(text)?.[1],
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

describePrivileged("what a link carries", () => {
  const spec = {
    ipv4: { source: FAR, destination: NEAR },
    transport: { kind: "udp", sourcePort: 7, destinationPort: 9, payload: new Uint8Array(40) },
  } as const;

  test("one flow from two CPUs at once: every packet, every gap", async () => {
    await using link = await build();
    const ethernet = { destination: await link.near.macAddress(DEVICE) };
    const flowmon = await FlowmonProcess.start(link.near, "-i", DEVICE, "-t", "3600", "--format", "jsonl");
    const frame = buildPacket({ ...spec, ethernet });
    await Promise.all([1, 2].map(() => sendFrames(link.far, DEVICE, [frame], { count: 100_000 })));
    const { txDropped } = await link.far.statistics(DEVICE);
    const [line] = (await flowmon.stop()).filter(({ destination_port }) => destination_port === 9);
    const packets = 200_000 - Number(txDropped);
    expect([line?.packets, line?.l3_bytes, line?.gaps]).toEqual([packets, packets * 68, packets - 1]);
  });

  test("frames with tags are flows of their VLAN, though the kernel takes the tag out", async () => {
    await using link = await build();
    const destination = await link.near.macAddress(DEVICE);
    const tagged = (...ids: readonly number[]) =>
      buildPacket({
        ...spec,
        ethernet: {
          destination,
          vlans: ids.map((id, i) => ({ id, protocol: ids.length > 1 && i === 0 ? 0x88a8 : 0x8100 })),
        },
      });
    const flowmon = await FlowmonProcess.start(link.near, "-i", DEVICE, "-t", "3600", "--format", "jsonl");
    await sendFrames(link.far, DEVICE, [tagged(), tagged(7), tagged(7, 8), tagged(9)], { count: 400, rate: 10_000 });
    const lines = (await flowmon.stop()).filter(({ destination_port }) => destination_port === 9);
    const found = lines.map(({ flow = "", packets, l3_bytes }) => [flow.replace(/^[^>]*> /, ""), packets, l3_bytes]);
    expect(found.toSorted()).toEqual([
      ["10.85.0.1:9 vlan 7", 200, 13_600],
      ["10.85.0.1:9 vlan 9", 100, 6800],
      ["10.85.0.1:9", 100, 6800],
    ]);
  });

  test("a device without a link layer", async () => {
    await using path = await MeasuredPath.create({ layer3: true });
    const flowmon = await FlowmonProcess.start(path.sink.ns, "-i", path.sink.device, "-t", "3600", "--format", "jsonl");
    for (const to of [path.sink.ipv4, path.sink.ipv6])
      expect((await ping(path.source.ns, to, { count: 10 })).received).toBe(10);
    const lines = (await flowmon.stop()).filter(({ flow = "" }) => / type (8|128) id /.test(flow));
    expect(lines.map(({ packets, l3_bytes }) => [packets, l3_bytes]).toSorted()).toEqual([
      [10, 1040],
      [10, 840],
    ]);
  });
});

const isUdp = (line: FlowLine) => line.overflow === "UDP" || line.destination_port === 9;
