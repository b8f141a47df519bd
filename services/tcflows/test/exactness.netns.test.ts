import { buildPacket } from "@waymark/packet";
import {
  Capture,
  describePrivileged,
  MeasuredPath,
  type Namespace,
  NetLab,
  type Offloads,
  ping,
  runIperf3,
  sendDatagrams,
  sendFrames,
  startIperf3Server,
  waitFor,
  whyNoWire,
} from "@waymark/testkit";
import { type Line, Running, sumOf } from "./running.ts";
import { type Flows, tsharkFlows } from "./tshark-flows.ts";

const DEADLINE_MS = 60_000;
const noWire = await whyNoWire();
const PORT = 5001;
/** All IP, whatever else is on the link. */
const ALL_IP = ["--filter", "src=0.0.0.0/0", "--filter", "src=::/0"];

/** The lines of every flow added up: what tshark's fields can tell apart. */
function flowsOf(lines: readonly Line[]): Flows {
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
  return flows;
}

/** Neighbours talk among themselves on every link; what goes to the far end and comes from there passes both. */
function endToEnd(flows: Flows, { sink }: MeasuredPath): Flows {
  return new Map([...flows].filter(([name]) => name.includes(` ${sink.ipv4} `) || name.includes(` ${sink.ipv6} `)));
}

/** Waits until no TCP connection is under way any more: then no packet of one is, either. */
async function connectionsClosed({ source, sink }: MeasuredPath): Promise<void> {
  const states = ["established", "fin-wait-1", "fin-wait-2", "close-wait", "last-ack", "closing", "syn-sent"];
  const argv = ["ss", "-Htn", ...states.flatMap((state) => ["state", state])];
  const open = async ({ ns }: { readonly ns: Namespace }) => (await ns.exec(argv)).stdout.trim();
  await waitFor(async () => (await open(source)) === "" && (await open(sink)) === "", {
    deadlineMs: DEADLINE_MS,
    what: "the end of all connections",
  });
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
      // nobody listens: what the answers to that have to tell comes before these
      for (const address of [sink.ipv4, sink.ipv6]) await ping(source.ns, address, { count: 3 });
    },
  },
];

describePrivileged("every flow", { tools: ["tshark", "tcpdump", "iperf3", "ethtool", "ping", "ss"] }, () => {
  test.each(scenarios)(
    "equals tshark to the packet and byte: $name",
    async ({ offloads, traffic }) => {
      await using path = await MeasuredPath.create(offloads ? { sourceOffloads: offloads } : {});
      const router = path.lab.namespaces.find(({ label }) => label === "router") as Namespace;
      // behind a link without offloads: what is there is what a wire carries
      await using capture = await Capture.start(path.lab, router, "left", { snapLength: 128, filter: "ip or ip6" });
      const running = await Running.start(path.lab, path.source.ns, [path.source.device], ...ALL_IP);
      await traffic(path);
      await connectionsClosed(path);
      const flows = flowsOf(await running.stop());
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
    const running = await Running.start(lab, near, ["eth0"]);
    const transport = { kind: "udp", sourcePort: 1, destinationPort: 2, payload: new Uint8Array(30) } as const;
    const tags = [[{ id: 7 }], [{ protocol: 0x88a8, id: 9 }, { id: 8 }], []] as const;
    const frames = tags.flatMap((vlans) => [
      buildPacket({ ethernet: { vlans }, ipv4: { source: "10.0.0.1", destination: "10.0.0.2" }, transport }),
      buildPacket({ ethernet: { vlans }, ipv6: { source: "fd00::1", destination: "fd00::2" }, transport }),
    ]);
    await sendFrames(near, "eth0", frames, { count: 600 });
    await capture.stopAfter(600, DEADLINE_MS);
    const flows = flowsOf(await running.stop());
    const sent = new Map([...flows].filter(([name]) => / 1 > .* 2$/.test(name)));
    expect(sent.size).toBe(6);
    expect(sent).toEqual(await tsharkFlows(capture.path));
  }, 60_000);
});

describePrivileged("without Ethernet", { unless: () => noWire }, () => {
  test("a TUN device: packets are what IP says, and there are no addresses of frames", async () => {
    await using path = await MeasuredPath.create({ layer3: true });
    const { source, sink } = path;
    const running = await Running.start(path.lab, source.ns, [source.device]);
    for (const to of [sink.ipv4, sink.ipv6]) await sendDatagrams(source.ns, { to, port: PORT, count: 500, rate: 5000 });
    const lines = (await running.stop()).filter((line) => line.destination_port === PORT);
    const of = (address: string) => sumOf(lines.filter(({ destination }) => destination === address));
    expect(of(sink.ipv4)).toEqual({ packets: 500, l3Bytes: 500 * 92, l2Bytes: 500 * 92 });
    expect(of(sink.ipv6)).toEqual({ packets: 500, l3Bytes: 500 * 112, l2Bytes: 500 * 112 });
    expect(lines.filter((line) => "source_mac" in line)).toEqual([]);
  }, 60_000);
});

describePrivileged("many flows", () => {
  /** Two hosts that are silent unless a test sends: every packet on the link is of the test, from the first on. */
  async function link(lab: NetLab): Promise<Namespace> {
    const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
    for (const ns of [near, far]) await ns.sysctl({ "net.ipv6.conf.default.disable_ipv6": 1 });
    await lab.link(
      { ns: near, device: "eth0", addresses: ["10.82.0.1/24"] },
      { ns: far, device: "eth0", addresses: ["10.82.0.2/24"] },
    );
    return near;
  }

  /** What the interface itself has carried. */
  async function carried(ns: Namespace) {
    const { txPackets, rxPackets, txBytes, rxBytes } = await ns.statistics("eth0");
    return {
      ingress: { packets: Number(rxPackets), l2Bytes: Number(rxBytes) },
      egress: { packets: Number(txPackets), l2Bytes: Number(txBytes) },
    };
  }

  function counted(lines: readonly Line[]) {
    const of = (direction: "ingress" | "egress") => {
      const { packets, l2Bytes } = sumOf(lines.filter((line) => line.direction === direction));
      return { packets, l2Bytes };
    };
    return { ingress: of("ingress"), egress: of("egress") };
  }

  const senders = (flows: number, runs: number, count: number) =>
    Array.from({ length: runs }, (_, i) => ({
      ...{ to: "10.82.0.2", port: 9, flows, count },
      fromPort: 10_000 + flows * i,
    }));

  test("52 000, read every 100 ms while they are sent as fast as it goes", async () => {
    await using lab = await NetLab.create();
    const near = await link(lab);
    const running = await Running.start(lab, near, ["eth0"], "--table-size", "60000");
    await Promise.all(senders(4000, 13, 16_000).map((sender) => sendDatagrams(near, sender)));
    const lines = await running.stop();
    const udp = [...flowsOf(lines)].filter(([name]) => name.endsWith("> 10.82.0.2 9"));
    expect(lines.filter((line) => line.overflow)).toEqual([]);
    expect(udp).toHaveLength(52_000);
    expect(udp.every(([, { packets, l2Bytes }]) => packets === 4 && l2Bytes === 4 * 106)).toBe(true);
    expect(counted(lines)).toEqual(await carried(near));
  }, 120_000);

  test("more than the table holds: records and overflow are together what passed the interface", async () => {
    await using lab = await NetLab.create();
    const near = await link(lab);
    const running = await Running.start(lab, near, ["eth0"], "--table-size", "100");
    await Promise.all(senders(2000, 4, 20_000).map((sender) => sendDatagrams(near, sender)));
    const lines = await running.stop();
    const overflow = lines.filter((line) => line.overflow);
    expect(new Set(overflow.map(({ direction, protocol }) => `${direction} ${protocol}`))).toContain("egress udp");
    expect(sumOf(overflow).packets).toBeGreaterThan(1000);
    expect(counted(lines)).toEqual(await carried(near));
  }, 120_000);
});
