// @kernels
import { fileURLToPath } from "node:url";
import {
  describePrivileged,
  ledgerRules,
  type ManagedProcess,
  MeasuredPath,
  type PathOptions,
  RouterLedger,
  runIperf3,
  sendDatagrams,
  startIperf3Server,
  waitFor,
} from "@waymark/testkit";

const BIN = fileURLToPath(new URL("../bin/altmark.js", import.meta.url));
const INTERVAL_S = 2;
const SECONDS = 12;
const RATE = 200;
const TCP_BITS = 2_000_000;
const DEADLINE_MS = 120_000;
const PORT = 5001;

interface Line {
  readonly block_number: number;
  readonly flows: readonly { readonly packets: number; readonly fragments: number; readonly out_of_guard: number }[];
}

/** Packets by block number, over all flows. */
function byBlock(agent: ManagedProcess): Map<bigint, bigint> {
  const lines = agent.stdout.map((line) => JSON.parse(line) as Line);
  return new Map(
    lines.map(({ block_number, flows }) => [
      BigInt(block_number),
      BigInt(flows.reduce((sum, flow) => sum + flow.packets, 0)),
    ]),
  );
}

interface Scenario {
  readonly name: string;
  readonly path?: PathOptions;
  readonly flags?: readonly string[];
  readonly every: number;
  readonly traffic: (path: MeasuredPath) => Promise<unknown>;
}

const common = { port: PORT, rate: RATE, deadlineMs: DEADLINE_MS };
const tcp = async (path: MeasuredPath) => {
  await startIperf3Server(path.sink.ns);
  await runIperf3(path.source.ns, { to: path.sink.ipv4, seconds: SECONDS, bitrate: TCP_BITS });
};
const scenarios: readonly Scenario[] = [
  {
    name: "UDP over IPv4 and IPv6, and fragments",
    every: 10,
    traffic: (path) =>
      Promise.all([
        sendDatagrams(path.source.ns, { ...common, to: path.sink.ipv4, count: RATE * SECONDS }),
        sendDatagrams(path.source.ns, { ...common, to: path.sink.ipv6, count: RATE * SECONDS }),
        sendDatagrams(path.source.ns, {
          ...common,
          to: path.sink.ipv4,
          count: 20 * SECONDS,
          rate: 20,
          size: 4000,
          mayFragment: true,
        }),
      ]),
  },
  { name: "TCP, offloads of the source on", every: 100, traffic: tcp },
  {
    name: "TCP, tso off at the source, gro on at the sink",
    path: { sourceOffloads: { tso: false }, sinkOffloads: { gro: true } },
    every: 100,
    traffic: tcp,
  },
  {
    name: "20 flows in tables for 8",
    flags: ["--per-flow", "--table-size", "8"],
    every: 10,
    traffic: (path) =>
      sendDatagrams(path.source.ns, {
        ...common,
        to: path.sink.ipv4,
        count: RATE * SECONDS,
        flows: 20,
        fromPort: 40_000,
      }),
  },
];

describePrivileged("both ends by themselves, on this kernel", { tools: ["nft", "iperf3", "ethtool"] }, () => {
  test.each(scenarios)(
    "their difference is the router's own counter in every whole block: $name",
    async ({ path: options, flags = [], every, traffic }) => {
      await using path = await MeasuredPath.create(options);
      await path.router.apply(ledgerRules([{ name: "drop", select: { every }, action: "drop" }]));
      const start = async (role: "source" | "sink") => {
        const argv = [process.execPath, BIN, role, path[role].device, "-i", String(INTERVAL_S), "--format", "jsonl"];
        const agent = path[role].ns.spawn([...argv, ...flags]);
        await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
        return agent;
      };
      const [sink, source] = [await start("sink"), await start("source")];
      await using ledger = RouterLedger.start(path.router, BigInt(INTERVAL_S) * 1_000_000_000n);
      await traffic(path);
      const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
      const known = () => byBlock(source).has(last) && byBlock(sink).has(last);
      await waitFor(known, { deadlineMs: DEADLINE_MS, what: "the last block" });
      const [sent, received] = [byBlock(source), byBlock(sink)];
      const judged = [...ledger.blocks].filter(([, truth]) => truth.seen > 0n);
      expect(judged.length).toBeGreaterThanOrEqual(3);
      for (const [block, truth] of judged) {
        expect([block, sent.get(block), received.get(block)]).toEqual([block, truth.seen, truth.seen - truth.dropped]);
      }
      expect(judged.some(([, truth]) => truth.dropped > 0n)).toBe(true);
    },
    300_000,
  );
});
