// What tcflows costs (DESIGN §5): a packet, beside an empty program that is measured around it in the same run; a million
// flows at once; live under iperf3; processor time and memory of the agent at 100 000 packets a second.
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BpfObject } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import { buildEthernet, buildPacket } from "@waymark/packet";
import { type Namespace, NetLab, runIperf3, sendDatagrams, startIperf3Server } from "@waymark/testkit";
import { type TcflowsRule, tcflowsSpec } from "../services/tcflows/bpf/tcflows.gen.ts";
import { kernelRulesOf, parseFlowFilter } from "../services/tcflows/src/flow-filter.ts";
import { FlowTable } from "../services/tcflows/src/flow-table.ts";
import { configure } from "../services/tcflows/src/meter.ts";
import { median, table } from "./src/figures.ts";
import { isolate } from "./src/isolation.ts";
import { cpuSeconds, memoryMib, programCost } from "./src/process-use.ts";

const BIN = fileURLToPath(new URL("../services/tcflows/bin/tcflows.js", import.meta.url));
const REPEAT = 1_000_000;
const ROUNDS = 5;
const REACH_NS = 140;
const MILLION = 1_000_000;
const REACH_READ_MS = 2000;
const RATE = 100_000;
const RATE_S = 10;
const LIVE_ROUNDS = 3;
const LIVE_S = 2;
/** Until an agent that has just started is idle. */
const SETTLE_MS = 1500;
const FAR = "10.89.0.2";
const STATS_SWITCH = "/proc/sys/kernel/bpf_stats_enabled";

isolate();

const yes = (reached: boolean) => (reached ? "yes" : "no");

interface Case {
  readonly name: string;
  readonly packet: Uint8Array;
  readonly rules?: readonly TcflowsRule[];
  readonly reachNs?: number;
}

const ethernet = {};
const ipv4 = { source: "10.0.0.1", destination: "10.0.0.2" };
const udp = { kind: "udp", sourcePort: 4000, destinationPort: 5000, payload: new Uint8Array(64) } as const;
const tcp = { kind: "tcp", sourcePort: 4000, destinationPort: 5000, payload: new Uint8Array(1400) } as const;
const filters = (count: number) =>
  kernelRulesOf(Array.from({ length: count }, (_, i) => parseFlowFilter(`proto=udp,dport=${5001 - count + i}`)));
const cases: readonly Case[] = [
  { name: "UDP, 64 octets", packet: buildPacket({ ethernet, ipv4, transport: udp }), reachNs: REACH_NS },
  { name: "TCP, 1400 octets", packet: buildPacket({ ethernet, ipv4, transport: tcp }), reachNs: REACH_NS },
  {
    name: "TCP over IPv6",
    packet: buildPacket({ ethernet, ipv6: { source: "2001:db8::1", destination: "2001:db8::2" }, transport: tcp }),
    reachNs: REACH_NS,
  },
  {
    name: "ICMP echo",
    packet: buildPacket({ ethernet, ipv4, transport: { kind: "icmp", type: 8, rest: 1 } }),
    reachNs: REACH_NS,
  },
  { name: "ARP", packet: new Uint8Array([...buildEthernet({}, 0x0806), ...new Uint8Array(46)]), reachNs: REACH_NS },
  {
    name: "UDP, wanted by the only filter",
    packet: buildPacket({ ethernet, ipv4, transport: udp }),
    rules: filters(1),
  },
  {
    name: "UDP, wanted by the last of 64",
    packet: buildPacket({ ethernet, ipv4, transport: udp }),
    rules: filters(64),
  },
];

function load(tableSize: number, rules: readonly TcflowsRule[] = []) {
  using open = BpfObject.open(tcflowsSpec);
  configure(open, 14, rules);
  const object = open.load();
  const tables = object.map("tables");
  const newTable = () => tables.createInner({ maxEntries: tableSize });
  tables.set(0, newTable());
  return { object, take: () => tables.swap(0, newTable()), [Symbol.dispose]: () => object.close() };
}

function packetRows(): string[][] {
  using empty = BpfObject.open(emptySpec).load();
  return cases.map(({ name, packet, rules, reachNs }) => {
    using rig = load(65_536, rules);
    const options = { data: packet, repeat: REPEAT, dataSizeOut: 0 };
    const own = () => rig.object.program("tcflows_egress").testRun(options).durationNs;
    const none = () => empty.program("empty_tc").testRun(options).durationNs;
    own();
    const rounds = Array.from({ length: ROUNDS }, () => ({ empty: none(), own: own() }));
    const [emptyNs, ns] = [median(rounds.map((round) => round.empty)), median(rounds.map((round) => round.own))];
    const reach = reachNs === undefined ? ["", ""] : [`${reachNs} ns`, yes(ns <= reachNs)];
    return [name, `${emptyNs} ns`, `${ns} ns`, `${(ns / emptyNs).toFixed(2)} ×`, ...reach];
  });
}

/** From the moment the table is taken out until all of it is known and the next round's work on it is done. */
function millionRows(): string[][] {
  using rig = load(1 << 20);
  const program = rig.object.program("tcflows_egress");
  const data = buildPacket({ ethernet, ipv4, transport: udp });
  const view = new DataView(data.buffer);
  const fillBegin = performance.now();
  for (let i = 0; i < MILLION; i++) {
    view.setUint32(26, i);
    program.testRun({ data, dataSizeOut: 0 });
  }
  const fillNs = ((performance.now() - fillBegin) / MILLION) * 1e6;
  const cpuBefore = process.cpuUsage();
  const begin = performance.now();
  const taken = rig.take();
  const swapMs = performance.now() - begin;
  const flows = new FlowTable({
    ...{ device: "eth0", limit: 1 << 21, baseNs: 0n },
    activeTimeoutNs: Number.MAX_SAFE_INTEGER,
    idleTimeoutNs: Number.MAX_SAFE_INTEGER,
    readEveryNs: 1e9,
  });
  for (const batch of taken?.batches() ?? []) flows.absorb(batch);
  flows.advance(0, { record: () => undefined, ended: () => undefined });
  const readMs = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpuBefore);
  const kernelMib = (taken?.info().memoryBytes ?? 0) / 2 ** 20;
  taken?.close();
  const lost = MILLION - flows.size;
  const rss = process.memoryUsage().rss / 2 ** 20;
  return [
    ["flows lost of a million", String(lost), "0", yes(lost === 0)],
    ["all read out", `${readMs.toFixed(0)} ms`, `${REACH_READ_MS} ms`, yes(readMs < REACH_READ_MS)],
    ["processor time for that", `${((user + system) / 1000).toFixed(0)} ms`, "", ""],
    ["of that, until no program writes any more", `${swapMs.toFixed(0)} ms`, "", ""],
    ["kernel memory of the table", `${kernelMib.toFixed(0)} MiB`, "", ""],
    ["resident, this process", `${rss.toFixed(0)} MiB`, "", ""],
    ["a new flow, with the system call of the test run", `${fillNs.toFixed(0)} ns`, "", ""],
  ];
}

async function link(lab: NetLab): Promise<{ readonly near: Namespace; readonly far: Namespace }> {
  const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
  await lab.link(
    { ns: near, device: "eth0", addresses: ["10.89.0.1/24"] },
    { ns: far, device: "eth0", addresses: [`${FAR}/24`] },
  );
  return { near, far };
}

async function start(near: Namespace) {
  const agent = near.spawn([process.execPath, BIN, "-iface", "eth0", "--top", "20"]);
  await agent.waitForLine(/measuring/, { deadlineMs: 20_000, stream: "stderr" });
  await pause(SETTLE_MS);
  return agent;
}

/** The agent while 100 000 packets a second of 1000 flows pass. */
async function agentRows(near: Namespace): Promise<string[][]> {
  const agent = await start(near);
  const idle = cpuSeconds(agent.pid);
  await pause(5000);
  const idlePercent = ((cpuSeconds(agent.pid) - idle) / 5) * 100;
  const before = cpuSeconds(agent.pid);
  const { seconds } = await sendDatagrams(near, {
    ...{ to: FAR, port: 9, rate: RATE, flows: 1000, fromPort: 10_000 },
    count: RATE * RATE_S,
    deadlineMs: 120_000,
  });
  const percent = ((cpuSeconds(agent.pid) - before) / seconds) * 100;
  const { now, own } = memoryMib(agent.pid);
  await agent.stop();
  const rate = (RATE * RATE_S) / seconds / 1000;
  return [
    ["idle", `${idlePercent.toFixed(2)} % of a core`],
    [`at ${rate.toFixed(0)} k packets/s, 1000 flows`, `${percent.toFixed(2)} % of a core`],
    ["resident", `${now.toFixed(1)} MiB (without file pages ${own.toFixed(1)})`],
  ];
}

interface Load {
  readonly name: string;
  readonly unit: string;
  readonly run: (near: Namespace) => Promise<number>;
}

const loads: readonly Load[] = [
  {
    name: "UDP, 64 octets",
    unit: "k packets/s",
    run: async (near) =>
      ((await runIperf3(near, { to: FAR, seconds: LIVE_S, udp: true, bitrate: 0, length: 64 })).packets ?? 0) /
      LIVE_S /
      1000,
  },
  {
    name: "TCP",
    unit: "Gbit/s",
    run: async (near) => (await runIperf3(near, { to: FAR, seconds: LIVE_S })).bitsPerSecond / 1e9,
  },
];

async function liveRow(near: Namespace, { name, unit, run }: Load): Promise<string[]> {
  const rounds: { readonly without: number; readonly with: number; readonly ns: number }[] = [];
  await run(near);
  for (let i = 0; i < LIVE_ROUNDS; i++) {
    const without = await run(near);
    const agent = await start(near);
    const rate = await run(near);
    const ns = programCost(agent.pid);
    await agent.stop();
    rounds.push({ without, with: rate, ns });
  }
  const [without, rates] = [rounds.map((round) => round.without), rounds.map((round) => round.with)];
  return [
    name,
    `${spread(without)} ${unit}`,
    `${spread(rates)} ${unit}`,
    `${((median(rates) / median(without) - 1) * 100).toFixed(1)} %`,
    `${median(rounds.map((round) => round.ns)).toFixed(0)} ns`,
  ];
}

/** The middle figure, with the lowest and the highest: how much the host itself wavers. */
function spread(figures: readonly number[]): string {
  return `${median(figures).toFixed(1)} (${Math.min(...figures).toFixed(1)} to ${Math.max(...figures).toFixed(1)})`;
}

table(["tcflows, one packet of a known flow", "empty program", "this", "ratio", "to reach", "reached"], packetRows());
process.stdout.write("\n");
table(["a million flows at once", "this", "to reach", "reached"], millionRows());
process.stdout.write("\n");
{
  await using lab = await NetLab.create();
  const { near, far } = await link(lab);
  table(["the agent", "this"], await agentRows(near));
  process.stdout.write("\n");
  await startIperf3Server(far);
  const before = readFileSync(STATS_SWITCH, "latin1");
  writeFileSync(STATS_SWITCH, "1");
  try {
    const rows: string[][] = [];
    for (const load of loads) rows.push(await liveRow(near, load));
    table(["live on a veth", "without", "with", "difference", "a run"], rows);
  } finally {
    writeFileSync(STATS_SWITCH, before);
  }
}
