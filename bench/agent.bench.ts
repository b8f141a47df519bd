// The altmark agent as a process (DESIGN §5, "agent"): memory while it reports, processor time when idle, the time from
// its start to the first marked packet at the far end, and what it costs the traffic of a live veth.
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type ManagedProcess, type MeasuredPath, runIperf3, sendDatagrams, startIperf3Server } from "@waymark/testkit";
import { Suite, type SuiteOptions } from "../tests/integration/src/suite.ts";
import { median, table } from "./src/figures.ts";
import { isolate } from "./src/isolation.ts";
import { cpuSeconds, memoryMib, programCost } from "./src/process-use.ts";

const REPORTING_S = 20;
const IDLE_S = 30;
const IDLE_INTERVAL_S = 10;
const STARTS = 5;
const START_RATE = 1000;
const START_WAIT_S = 4;
const ROUNDS = 3;
const ROUND_S = 2;
/** Until an agent that has just started is connected and idle: its own start would cost the traffic processor time. */
const SETTLE_MS = 1500;
const PORT = 5001;
const REACH_MIB = 110;
const REACH_CPU_PERCENT = 0.3;
const REACH_START_MS = 1000;
const STATS_SWITCH = "/proc/sys/kernel/bpf_stats_enabled";

isolate();

const yes = (reached: boolean) => (reached ? "yes" : "no");
const transports = ["grpc", "nats"] as const;
type Transport = (typeof transports)[number];
const options = (transport: Transport, interval = 1): SuiteOptions => ({
  transport,
  interval,
  path: { realSegments: false },
});

/** Memory of a source that has reported a block each second for a while. */
async function memoryRow(transport: Transport): Promise<string[]> {
  await using suite = await Suite.start(options(transport));
  await pause(REPORTING_S * 1000);
  const { now, highest, own } = memoryMib(running(suite.source).pid);
  const reported = (await suite.blocks()).length;
  if (reported < REPORTING_S / 2) throw new Error(`only ${reported} blocks reached the collector over ${transport}`);
  return [
    `resident, reporting over ${transport} (-i 1, ${REPORTING_S} s)`,
    `${now.toFixed(1)} MiB (highest ${highest.toFixed(1)}, without file pages ${own.toFixed(1)})`,
    `${REACH_MIB} MiB`,
    yes(now <= REACH_MIB),
  ];
}

/** Share of a core that a source without traffic takes. */
async function idleRow(transport: Transport): Promise<string[]> {
  await using suite = await Suite.start(options(transport, IDLE_INTERVAL_S));
  const { pid } = running(suite.source);
  await pause(IDLE_INTERVAL_S * 1000);
  const before = cpuSeconds(pid);
  await pause(IDLE_S * 1000);
  const percent = ((cpuSeconds(pid) - before) / IDLE_S) * 100;
  return [
    `idle, over ${transport} (-i ${IDLE_INTERVAL_S}, ${IDLE_S} s)`,
    `${percent.toFixed(2)} % of a core`,
    `${REACH_CPU_PERCENT} %`,
    yes(percent <= REACH_CPU_PERCENT),
  ];
}

/** From the start of the command to the arrival of the first marked packet, with packets on the way all the time. */
async function startRow(transport: Transport): Promise<string[]> {
  await using suite = await Suite.start(options(transport));
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    await running(suite.source).stop();
    times.push(await startTime(suite));
  }
  const ms = median(times);
  return [
    `start to first marked packet, ${transport}`,
    `${ms.toFixed(0)} ms (${times.map((time) => time.toFixed(0)).join(", ")})`,
    `${REACH_START_MS} ms`,
    yes(ms < REACH_START_MS),
  ];
}

async function startTime(suite: Suite): Promise<number> {
  const { source, sink } = suite.path;
  const marked = "udp and (ip[1] & 0xfc == 0x08 or ip[1] & 0xfc == 0x0c)";
  // the tap is in front of the sink's program, and its time stamps are the kernel's wall clock
  const tap = sink.ns.spawn(["tcpdump", "-n", "-tt", "-l", "--immediate-mode", "-c", "1", "-i", sink.device, marked]);
  await tap.waitForLine(/listening/, { deadlineMs: 10_000, stream: "stderr" });
  const traffic = sendDatagrams(source.ns, {
    to: sink.ipv4,
    port: PORT,
    rate: START_RATE,
    count: START_RATE * START_WAIT_S,
  });
  await pause(100);
  const begin = Date.now();
  await suite.startSource();
  const line = await tap.waitForLine(/^\d+\.\d+ /, { deadlineMs: START_WAIT_S * 1000 });
  await traffic;
  await tap.exited;
  return Number(line.split(" ")[0]) * 1000 - begin;
}

interface Load {
  readonly name: string;
  readonly unit: string;
  readonly run: (path: MeasuredPath) => Promise<number>;
}

const loads: readonly Load[] = [
  {
    name: "UDP, 64 octets",
    unit: "k packets/s",
    run: async (path) => {
      const udp = { to: path.sink.ipv4, seconds: ROUND_S, udp: true, bitrate: 0, length: 64 };
      return ((await runIperf3(path.source.ns, udp)).packets ?? 0) / ROUND_S / 1000;
    },
  },
  {
    name: "TCP",
    unit: "Gbit/s",
    run: async (path) =>
      (await runIperf3(path.source.ns, { to: path.sink.ipv4, seconds: ROUND_S })).bitsPerSecond / 1e9,
  },
];

/** Rates of a veth without and with the source in turn, and the mean cost of a run of its program. */
async function liveRows(): Promise<string[][]> {
  await using suite = await Suite.start(options("grpc"));
  await running(suite.source).stop();
  await running(suite.sink).stop();
  await startIperf3Server(suite.path.sink.ns);
  const before = readFileSync(STATS_SWITCH, "latin1");
  writeFileSync(STATS_SWITCH, "1");
  try {
    const rows: string[][] = [];
    for (const load of loads) rows.push(await liveRow(suite, load));
    return rows;
  } finally {
    writeFileSync(STATS_SWITCH, before);
  }
}

async function liveRow(suite: Suite, { name, unit, run }: Load): Promise<string[]> {
  const rounds: { readonly without: number; readonly with: number; readonly ns: number }[] = [];
  await run(suite.path);
  for (let i = 0; i < ROUNDS; i++) {
    const without = await run(suite.path);
    const agent = await suite.startSource();
    await pause(SETTLE_MS);
    const rate = await run(suite.path);
    const ns = programCost(agent.pid);
    await agent.stop();
    rounds.push({ without, with: rate, ns });
  }
  const without = rounds.map((round) => round.without);
  const rates = rounds.map((round) => round.with);
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

function running(agent: ManagedProcess | undefined): ManagedProcess {
  if (agent === undefined) throw new Error("the suite has not started it");
  return agent;
}

const rows: string[][] = [];
for (const transport of transports) rows.push(await memoryRow(transport));
rows.push(await idleRow("grpc"));
for (const transport of transports) rows.push(await startRow(transport));
table(["altmark source, the process", "this", "to reach", "reached"], rows);
process.stdout.write("\n");
table(["live on a veth", "without", "with", "difference", "a run"], await liveRows());
