import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPacket } from "@waymark/packet";
import {
  Capture,
  describePrivileged,
  type ManagedProcess,
  MeasuredPath,
  type Namespace,
  NetLab,
  type Offloads,
  ping,
  runIperf3,
  sendDatagrams,
  sendFrames,
  startIperf3Server,
} from "@waymark/testkit";
import { type Flows, tsharkFlows } from "./tshark-flows.ts";

const BIN = fileURLToPath(new URL("../bin/tcflows.js", import.meta.url));
const DEADLINE_MS = 60_000;
const PORT = 5001;

/** A tcflows that writes JSON lines, what is new in each, into a file. */
interface Running {
  readonly agent: ManagedProcess;
  readonly file: string;
}

async function start(lab: NetLab, ns: Namespace, device: string, ...flags: readonly string[]): Promise<Running> {
  const file = join(lab.folder, "flows.jsonl");
  const words = ["-iface", device, "-freq", "100ms", "--interval-totals", "--format", "jsonl", ...flags];
  const agent = ns.spawn([
    "sh",
    "-c",
    'out="$1"; shift; exec "$@" >"$out"',
    "sh",
    file,
    process.execPath,
    BIN,
    ...words,
  ]);
  await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
  return { agent, file };
}

interface Line {
  readonly direction: "ingress" | "egress";
  readonly protocol?: string;
  readonly ether_type?: string;
  readonly overflow?: boolean;
  readonly source?: string;
  readonly destination?: string;
  readonly source_port?: number;
  readonly destination_port?: number;
  readonly vlan_id?: number;
  readonly packets: number;
  readonly l3_bytes: number;
  readonly l2_bytes: number;
}

/** Ends it, and adds up the lines of every flow: what tshark's fields can tell apart. */
async function stop({ agent, file }: Running): Promise<{ flows: Flows; lines: readonly Line[] }> {
  agent.signal("SIGTERM");
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  const text = await readFile(file, "utf8");
  const lines = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
  const flows: Flows = new Map();
  for (const line of lines) {
    const { source = "", destination = "", source_port = 0, destination_port = 0, vlan_id = 0 } = line;
    const what = line.ether_type ?? line.protocol;
    const name = `${vlan_id} ${what} ${source} ${source_port} > ${destination} ${destination_port}`;
    const before = flows.get(name) ?? { packets: 0, l3Bytes: 0, l2Bytes: 0 };
    flows.set(name, {
      packets: before.packets + line.packets,
      l3Bytes: before.l3Bytes + line.l3_bytes,
      l2Bytes: before.l2Bytes + line.l2_bytes,
    });
  }
  return { flows, lines };
}

interface Scenario {
  readonly name: string;
  readonly offloads?: Offloads;
  readonly traffic: (path: MeasuredPath) => Promise<unknown>;
}

const tcp = async (path: MeasuredPath) => {
  await startIperf3Server(path.sink.ns);
  await runIperf3(path.source.ns, { to: path.sink.ipv4, bytes: 60_000_000 });
  await runIperf3(path.source.ns, { to: path.sink.ipv6, bytes: 20_000_000, reverse: true });
};

const scenarios: readonly Scenario[] = [
  { name: "TCP over IPv4 and IPv6, offloads on", offloads: { gro: true }, traffic: tcp },
  { name: "TCP, offloads off", offloads: { tso: false, gso: false, gro: false, tx: false }, traffic: tcp },
  { name: "TCP, tso off and gro on", offloads: { tso: false, gro: true }, traffic: tcp },
  {
    name: "UDP, ICMP, fragments and IP options over both versions",
    traffic: async ({ source, sink }) => {
      await Promise.all([
        sendDatagrams(source.ns, { to: sink.ipv4, port: PORT, count: 5000, rate: 20_000 }),
        sendDatagrams(source.ns, { to: sink.ipv6, port: PORT, count: 5000, rate: 20_000, size: 1000 }),
        sendDatagrams(source.ns, { to: sink.ipv4, port: PORT, count: 200, rate: 2000, size: 4000, mayFragment: true }),
        ping(source.ns, sink.ipv4, { count: 20, size: 3000 }),
        ping(source.ns, sink.ipv6, { count: 20 }),
        source.ns.exec(["ping", "-n", "-R", "-c", "5", "-i", "0.01", sink.ipv4], { allowFailure: true }),
      ]);
    },
  },
];

describePrivileged("every flow", { tools: ["tshark", "tcpdump", "iperf3", "ethtool", "ping"] }, () => {
  test.each(scenarios)(
    "equals tshark to the packet and byte: $name",
    async ({ offloads, traffic }) => {
      await using path = await MeasuredPath.create(offloads ? { sourceOffloads: offloads } : {});
      const entry = path.lab.namespaces.find(({ label }) => label === "router") as Namespace;
      // behind a link without offloads: what is there is what a wire carries
      await using capture = await Capture.start(path.lab, entry, "left", { snapLength: 128, filter: "ip or ip6" });
      const running = await start(path.lab, path.source.ns, path.source.device, ...ALL_IP);
      await traffic(path);
      const { flows } = await stop(running);
      await capture.stop();
      expect(await path.strayDrops()).toBe(0n);
      const truth = await tsharkFlows(capture.path);
      expect(truth.size).toBeGreaterThan(1);
      expect(endToEnd(flows, path)).toEqual(endToEnd(truth, path));
    },
    120_000,
  );

  test("VLAN and QinQ, as the neighbour sees them", async () => {
    await using lab = await NetLab.create();
    const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
    await lab.link({ ns: near, device: "eth0" }, { ns: far, device: "eth0" });
    await using capture = await Capture.start(lab, far, "eth0", { filter: "ether src 02:00:00:00:00:01" });
    const running = await start(lab, near, "eth0");
    const transport = { kind: "udp", sourcePort: 1, destinationPort: 2, payload: new Uint8Array(30) } as const;
    const tags = [[{ id: 7 }], [{ protocol: 0x88a8, id: 9 }, { id: 8 }], []] as const;
    const frames = tags.flatMap((vlans) => [
      buildPacket({ ethernet: { vlans }, ipv4: { source: "10.0.0.1", destination: "10.0.0.2" }, transport }),
      buildPacket({ ethernet: { vlans }, ipv6: { source: "fd00::1", destination: "fd00::2" }, transport }),
    ]);
    await sendFrames(near, "eth0", frames, { count: 600 });
    await capture.stopAfter(600, DEADLINE_MS);
    const { flows } = await stop(running);
    const sent = new Map([...flows].filter(([name]) => / 1 > .* 2$/.test(name)));
    expect(sent.size).toBe(6);
    expect(sent).toEqual(await tsharkFlows(capture.path));
  }, 60_000);

  test("52 000 flows, read every 100 ms while they are sent as fast as it goes", async () => {
    await using lab = await NetLab.create();
    const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
    // Without it, every packet on the link is of this test, from its first on.
    for (const ns of [near, far]) await ns.sysctl({ "net.ipv6.conf.default.disable_ipv6": 1 });
    await lab.link(
      { ns: near, device: "eth0", addresses: ["10.82.0.1/24"] },
      { ns: far, device: "eth0", addresses: ["10.82.0.2/24"] },
    );
    const running = await start(lab, near, "eth0", "--table-size", "60000");
    const each = { to: "10.82.0.2", port: 9, flows: 4000, count: 16_000 };
    const senders = Array.from({ length: 13 }, (_, i) => ({ ...each, fromPort: 10_000 + 4000 * i }));
    await Promise.all(senders.map((sender) => sendDatagrams(near, sender)));
    const { flows, lines } = await stop(running);
    const udp = [...flows].filter(([name]) => name.endsWith("> 10.82.0.2 9"));
    expect(lines.filter((line) => line.overflow)).toEqual([]);
    expect(udp).toHaveLength(52_000);
    expect(udp.every(([, { packets, l2Bytes }]) => packets === 4 && l2Bytes === 4 * 106)).toBe(true);
    const { txPackets, rxPackets } = await near.statistics("eth0");
    const all = { ingress: 0, egress: 0 };
    for (const { direction, packets } of lines) all[direction] += packets;
    expect(all).toEqual({ ingress: Number(rxPackets), egress: Number(txPackets) });
  }, 120_000);
});

/** All IP: what a filter of any protocol lets through. */
const ALL_IP = ["--filter", "src=0.0.0.0/0", "--filter", "src=::/0"];

/** Neighbours talk among themselves on every link; what goes to the far end and comes from there passes both. */
function endToEnd(flows: Flows, { sink }: MeasuredPath): Flows {
  return new Map([...flows].filter(([name]) => name.includes(` ${sink.ipv4} `) || name.includes(` ${sink.ipv6} `)));
}
