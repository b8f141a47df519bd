import type { LossBlock } from "@waymark/proto/query";
import {
  describePrivileged,
  ledgerRules,
  type MeasuredPath,
  RouterLedger,
  type RouterRule,
  runIperf3,
  sendDatagrams,
  startIperf3Server,
} from "@waymark/testkit";
import { isComplete, Suite, type SuiteOptions } from "./src/suite.ts";
import { expectCompleteBetween, expectTrue } from "./src/truth.ts";

const PORT = 5001;
/** Whole blocks that a scenario is judged by, at least. */
const BLOCKS = 4;
const SECONDS = 7;
const DEADLINE_MS = 60_000;

interface Scenario {
  readonly name: string;
  readonly suite?: SuiteOptions;
  readonly drops: readonly RouterRule[];
  readonly traffic: (path: MeasuredPath) => Promise<unknown>;
  /** Some loss is expected (default true). */
  readonly lossy?: boolean;
  readonly check?: (blocks: readonly LossBlock[]) => void;
}

const oneIn = (every: number, match: RouterRule["match"] = {}): RouterRule => ({
  name: "drop",
  match,
  select: { every },
  action: "drop",
});
const burst: RouterRule = { name: "drop", select: { burst: { length: 30, period: 700 } }, action: "drop" };
const udp =
  (to: "ipv4" | "ipv6", more: Partial<Parameters<typeof sendDatagrams>[1]> = {}) =>
  (path: MeasuredPath) =>
    sendDatagrams(path.source.ns, { to: path.sink[to], port: PORT, rate: 2000, count: 2000 * SECONDS, ...more });
const tcp =
  (more: Partial<Parameters<typeof runIperf3>[1]> = {}) =>
  async (path: MeasuredPath) => {
    await startIperf3Server(path.sink.ns);
    return runIperf3(path.source.ns, { to: path.sink.ipv4, seconds: SECONDS, ...more });
  };
const flowNames = (blocks: readonly LossBlock[]) => new Set(blocks.filter(isComplete).map((block) => block.flow));
const perFlow = ["--per-flow"];
const smallTable = ["--per-flow", "--table-size", "8"];

const scenarios: readonly Scenario[] = [
  { name: "UDP, 1 in 100 lost", drops: [oneIn(100)], traffic: udp("ipv4") },
  { name: "UDP over IPv6, bursts of 30 lost", drops: [burst], traffic: udp("ipv6") },
  { name: "TCP, offloads of the source on", drops: [oneIn(2000)], traffic: tcp() },
  {
    name: "TCP, tso off at the source, gro on at the sink",
    suite: { path: { sourceOffloads: { tso: false }, sinkOffloads: { gro: true } } },
    drops: [oneIn(2000)],
    traffic: tcp(),
  },
  {
    name: "TCP over IPv6, gso off at the source, gro on at the sink",
    suite: { path: { sourceOffloads: { tso: false, gso: false }, sinkOffloads: { gro: true } } },
    drops: [oneIn(2000)],
    traffic: (path) => tcp({ to: path.sink.ipv6 })(path),
  },
  {
    name: "fragments made before the source",
    drops: [oneIn(50)],
    traffic: udp("ipv4", { size: 4000, mayFragment: true, rate: 700, count: 700 * SECONDS }),
  },
  {
    name: "20 flows at once, each told apart",
    suite: { sourceArguments: perFlow, sinkArguments: perFlow },
    drops: [oneIn(30)],
    traffic: udp("ipv4", { flows: 20, fromPort: 40_000 }),
    check: (blocks) => {
      expect(flowNames(blocks)).toContain("udp 10.77.0.1:40019 > 10.77.3.2:5001");
      expect(flowNames(blocks).size).toBeGreaterThanOrEqual(20);
    },
  },
  {
    name: "20 flows in tables for 8, the rest in the flow other",
    suite: { sourceArguments: smallTable, sinkArguments: smallTable },
    drops: [oneIn(30)],
    traffic: udp("ipv4", { flows: 20, fromPort: 40_000 }),
    check: (blocks) => {
      const other = blocks.filter((block) => isComplete(block) && block.flow === "other" && block.sentPackets > 0n);
      expect(other.length).toBeGreaterThan(0);
    },
  },
  {
    name: "no loss at the highest rate of UDP and TCP",
    drops: [],
    lossy: false,
    traffic: async (path) => {
      await startIperf3Server(path.sink.ns);
      await startIperf3Server(path.sink.ns, 5202);
      await Promise.all([
        runIperf3(path.source.ns, { to: path.sink.ipv4, seconds: SECONDS, udp: true, bitrate: 0 }),
        runIperf3(path.source.ns, { to: path.sink.ipv4, seconds: SECONDS, port: 5202, streams: 4 }),
      ]);
    },
  },
];

describePrivileged("loss equals the router's own drop counter", { tools: ["nft", "iperf3", "ethtool"] }, () => {
  test.each(scenarios)(
    "$name",
    async (scenario) => {
      await using suite = await Suite.start(scenario.suite);
      await suite.path.router.apply(ledgerRules(scenario.drops));
      await using ledger = RouterLedger.start(suite.path.router, suite.intervalNs);
      await scenario.traffic(suite.path);
      const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
      await suite.settled(last, DEADLINE_MS);
      const blocks = await suite.blocks();
      expectCompleteBetween(blocks);
      const judged = expectTrue(blocks, ledger);
      expect(judged.blocks).toBeGreaterThanOrEqual(BLOCKS);
      if (scenario.lossy ?? true) expect(judged.dropped).toBeGreaterThan(0n);
      else expect(judged.dropped).toBe(0n);
      scenario.check?.(blocks);
    },
    120_000,
  );
});
