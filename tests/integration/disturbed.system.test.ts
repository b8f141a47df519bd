import { type LossBlock, LossReason, LossVerdict } from "@waymark/proto/query";
import { describePrivileged, ledgerRules, RouterLedger, type RouterRule, sendDatagrams } from "@waymark/testkit";
import { isComplete, Suite, type SuiteOptions } from "./src/suite.ts";
import { expectCompleteBetween, expectTrue } from "./src/truth.ts";

const PORT = 5001;
const RATE = 2000;
const SECONDS = 7;
const DEADLINE_MS = 60_000;

interface Disturbance {
  readonly suite?: SuiteOptions;
  readonly drops?: readonly RouterRule[];
  readonly others?: readonly RouterRule[];
  readonly mtu?: number;
  readonly size?: number;
}

async function measured({ suite: options, drops = [], others = [], mtu, size }: Disturbance) {
  const suite = await Suite.start(options);
  await using _ = suite;
  await suite.path.router.apply(ledgerRules(drops, others));
  if (mtu !== undefined) await suite.path.router.setIpv4Mtu("forward", mtu);
  await using ledger = RouterLedger.start(suite.path.router, suite.intervalNs);
  await sendDatagrams(suite.path.source.ns, {
    to: suite.path.sink.ipv4,
    port: PORT,
    rate: RATE,
    count: RATE * SECONDS,
    mayFragment: true,
    ...(size !== undefined && { size }),
  });
  const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
  await suite.settled(last, DEADLINE_MS);
  const blocks = await suite.blocks();
  const middle = blocks.filter((block) => block.blockNumber > last - 4n && block.blockNumber <= last);
  return { blocks, middle, ledger, lines: suite.collector?.stdout ?? [] };
}

const verdicts = (blocks: readonly LossBlock[]) => blocks.map((block) => [block.verdict, ...block.verdictReasons]);

describePrivileged("a network that does more than lose packets", { tools: ["nft"] }, () => {
  test("reordering across the change of colour leaves every block COMPLETE and exact", async () => {
    const { blocks, ledger } = await measured({
      suite: { path: { wire: { delayUs: 5_000, reorderEvery: 7, reorderUs: 30_000 } } },
      drops: [{ name: "drop", select: { every: 70 }, action: "drop" }],
    });
    expectCompleteBetween(blocks);
    expect(expectTrue(blocks, ledger).dropped).toBeGreaterThan(0n);
  }, 120_000);

  test("duplicates: more received than sent is negative, and INVALID", async () => {
    const { middle } = await measured({
      others: [{ name: "twice", match: { protocol: "udp" }, select: { every: 20 }, action: "duplicate" }],
    });
    expect(middle.length).toBeGreaterThan(0);
    for (const block of middle) expect(block.lostPackets).toBeLessThan(0n);
    expect(verdicts(middle)).toEqual(middle.map(() => [LossVerdict.INVALID, LossReason.NEGATIVE]));
  }, 120_000);

  test.each([
    ["the default flow", []],
    ["a flow with a port, which the fragments do not match", ["--flow", `dns=proto=udp,dport=${PORT}`]],
    ["every 5-tuple, of which the fragments are another", ["--per-flow"]],
  ])(
    "fragmentation on the path is named: %s",
    async (_name, flags) => {
      const { blocks, middle } = await measured({
        suite: { sourceArguments: flags, sinkArguments: flags },
        mtu: 1000,
        size: 1300,
      });
      expect(middle.length).toBeGreaterThan(0);
      for (const block of middle.filter(({ sentPackets, receivedPackets }) => sentPackets + receivedPackets > 0n)) {
        expect(block.verdict).toBe(LossVerdict.INVALID);
        expect(block.verdictReasons).toContain(LossReason.FRAGMENTED_ON_PATH);
      }
      expect(blocks.filter((block) => isComplete(block) && block.sentPackets > 0n)).toEqual([]);
    },
    120_000,
  );

  test("marks that are rewritten on the way: the path is unconfirmed, not all lost", async () => {
    const { blocks, middle, lines } = await measured({
      others: [{ name: "bleach", match: { family: 4 }, action: { setDscp: 0 } }],
    });
    expect(middle.length).toBeGreaterThan(0);
    expect(verdicts(middle)).toEqual(middle.map(() => [LossVerdict.INVALID, LossReason.PATH_UNCONFIRMED]));
    expect(middle.every((block) => block.hint !== "" && block.lostPackets === undefined)).toBe(true);
    expect(blocks.filter(isComplete)).toEqual([]);
    expect(lines.some((line) => /loss=0\b|loss=\d+$/.test(line))).toBe(false);
  }, 120_000);
});
