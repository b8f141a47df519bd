import {
  describePrivileged,
  ledgerRules,
  type MeasuredPath,
  RouterLedger,
  type RouterRule,
  runIperf3,
  sendDatagrams,
  startIperf3Server,
  whyNoWire,
} from "@waymark/testkit";
import { Suite } from "./src/suite.ts";
import { expectCompleteBetween, expectTrue } from "./src/truth.ts";

const PORT = 5001;
const SECONDS = 7;
const BLOCKS = 4;
const DEADLINE_MS = 60_000;

const oneIn = (every: number): RouterRule => ({ name: "drop", select: { every }, action: "drop" });
const udp = (to: "ipv4" | "ipv6") => (path: MeasuredPath) =>
  sendDatagrams(path.source.ns, { to: path.sink[to], port: PORT, rate: 2000, count: 2000 * SECONDS });
const tcp = async (path: MeasuredPath) => {
  await startIperf3Server(path.sink.ns);
  return runIperf3(path.source.ns, { to: path.sink.ipv4, seconds: SECONDS, bitrate: 20_000_000 });
};

const scenarios = [
  { name: "UDP over IPv4", every: 50, traffic: udp("ipv4") },
  { name: "UDP over IPv6", every: 30, traffic: udp("ipv6") },
  { name: "TCP", every: 500, traffic: tcp },
] as const;

const noWire = await whyNoWire();

describePrivileged(
  "loss between interfaces without Ethernet equals the router's own drop counter",
  { tools: ["nft", "iperf3"], unless: () => noWire },
  () => {
    test.each(scenarios)(
      "$name",
      async ({ every, traffic }) => {
        await using suite = await Suite.start({ path: { layer3: true } });
        await suite.path.router.apply(ledgerRules([oneIn(every)]));
        await using ledger = RouterLedger.start(suite.path.router, suite.intervalNs);
        await traffic(suite.path);
        const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
        await suite.settled(last, DEADLINE_MS);
        const blocks = await suite.blocks();
        expect(await suite.path.strayDrops()).toBe(0n);
        expectCompleteBetween(blocks);
        const judged = expectTrue(blocks, ledger);
        expect(judged.blocks).toBeGreaterThanOrEqual(BLOCKS);
        expect(judged.dropped).toBeGreaterThan(0n);
      },
      120_000,
    );
  },
);
