import { type LossBlock, LossReason, LossVerdict } from "@waymark/proto/query";
import { describePrivileged, ledgerRules, RouterLedger, sendDatagrams, waitFor } from "@waymark/testkit";
import { isComplete, Suite, type SuiteOptions } from "./src/suite.ts";
import { expectTrue } from "./src/truth.ts";

const PORT = 5001;
const RATE = 1000;
const SECONDS = 9;
const DEADLINE_MS = 60_000;
const L_MS = 1000;
const sourceClock = { skewMs: 0, kernelBootId: "kernel-of-source" };
const sinkClock = { skewMs: 0, kernelBootId: "kernel-of-sink" };

/** Sends for a while with 1 in 50 lost; the blocks that are settled then, those in the middle of the traffic. */
async function measured(options: SuiteOptions, during?: (suite: Suite) => Promise<void>) {
  const suite = await Suite.start({ interval: L_MS / 1000, ...options });
  await using _ = suite;
  await suite.path.router.apply(ledgerRules([{ name: "drop", select: { every: 50 }, action: "drop" }]));
  await using ledger = RouterLedger.start(suite.path.router, suite.intervalNs);
  const count = RATE * SECONDS;
  const to = { to: suite.path.sink.ipv4, port: PORT, rate: RATE, count, deadlineMs: DEADLINE_MS };
  await Promise.all([sendDatagrams(suite.path.source.ns, to), during?.(suite)]);
  const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
  await suite.settled(last, DEADLINE_MS);
  const blocks = await suite.blocks();
  const middle = blocks.filter((block) => block.blockNumber > last - 5n && block.blockNumber <= last);
  return { blocks, middle, ledger };
}

const reasonsOf = (blocks: readonly LossBlock[]) => new Set(blocks.flatMap((block) => block.verdictReasons));

describePrivileged("two hosts with clocks of their own", { tools: ["nft"] }, () => {
  test("100 ms apart, which their kernels admit: COMPLETE and exact", async () => {
    const clock = { maxErrorMs: 60 };
    const { blocks, middle, ledger } = await measured({
      sourceClock: { ...sourceClock, ...clock },
      sinkClock: { ...sinkClock, ...clock, skewMs: 100 },
    });
    expect(middle.every(isComplete)).toBe(true);
    expect(expectTrue(blocks, ledger).dropped).toBeGreaterThan(0n);
  }, 120_000);

  test.each([
    [0.5, [LossReason.GUARD_BAND, LossReason.CLOCK]],
    [1, [LossReason.GUARD_BAND, LossReason.CLOCK]],
    [2, [LossReason.CLOCK]],
    [-1, [LossReason.GUARD_BAND, LossReason.CLOCK]],
  ])(
    "%f intervals apart, though both kernels call themselves synchronised: never COMPLETE",
    async (apart, reasons) => {
      const { blocks, middle } = await measured({
        sourceClock,
        sinkClock: { ...sinkClock, skewMs: apart * L_MS },
      });
      expect(blocks.filter(isComplete)).toEqual([]);
      const invalid = middle.filter((block) => block.verdict === LossVerdict.INVALID);
      expect(invalid.length).toBeGreaterThan(0);
      for (const reason of reasons) expect(reasonsOf(invalid)).toContain(reason);
    },
    120_000,
  );

  test("unsynchronised: the numbers are shown but not vouched for, unless the operator does", async () => {
    const unsynchronised = { synchronised: false, maxErrorMs: 16_000 };
    const clocks = {
      sourceClock: { ...sourceClock, ...unsynchronised },
      sinkClock: { ...sinkClock, ...unsynchronised },
    };
    const doubted = await measured(clocks);
    expect(doubted.blocks.filter(isComplete)).toEqual([]);
    expect(reasonsOf(doubted.middle)).toEqual(new Set([LossReason.CLOCK]));
    expect(doubted.middle.every((block) => block.sentPackets > 0n && (block.lostPackets ?? 0n) > 0n)).toBe(true);
    const trust = ["--trust-clock"];
    const trusted = await measured({ ...clocks, sourceArguments: trust, sinkArguments: trust });
    expect(trusted.middle.every(isComplete)).toBe(true);
    expectTrue(trusted.blocks, trusted.ledger);
  }, 180_000);

  test.each([300, -300, 4 * L_MS])(
    "both stepped by %i ms: the touched blocks say so, no COMPLETE one is wrong",
    async (ms) => {
      const { blocks, ledger } = await measured({ sourceClock, sinkClock }, async (suite) => {
        const at = (BigInt(Date.now()) * 1_000_000n) / suite.intervalNs + 4n;
        const moment = at * suite.intervalNs + suite.intervalNs / 2n;
        await waitFor(() => BigInt(Date.now()) * 1_000_000n >= moment, { deadlineMs: DEADLINE_MS, what: "moment" });
        for (const agent of [suite.source, suite.sink]) agent?.write(`step ${ms}\n`);
      });
      const stepped = blocks.filter((block) => block.verdictReasons.includes(LossReason.CLOCK_STEP));
      expect(stepped.length).toBeGreaterThan(0);
      expect(stepped.filter(isComplete)).toEqual([]);
      const first = stepped[0]?.blockNumber ?? 0n;
      const before = blocks.filter((block) => block.blockNumber < first);
      expect(before.some(isComplete)).toBe(true);
      expectTrue(before, ledger);
      // Blocks after it are cut by the stepped clocks, so the router's ledger does not fit them one by one; whole ones hold
      // what is sent in a block's length, of which one in fifty is lost.
      const behind = stepped.at(-1)?.blockNumber ?? 0n;
      const after = blocks.filter((block) => isComplete(block) && block.blockNumber > behind);
      for (const block of after.filter(({ sentPackets }) => sentPackets === BigInt((RATE * L_MS) / 1000))) {
        expect(block.lostPackets).toBe(block.sentPackets / 50n);
      }
    },
    120_000,
  );

  test("one end stepped alone, and set back: no COMPLETE block is wrong", async () => {
    const { blocks, ledger } = await measured({ sourceClock, sinkClock }, async (suite) => {
      const start = (BigInt(Date.now()) * 1_000_000n) / suite.intervalNs;
      for (const [ahead, by] of [
        [3n, 600],
        [5n, -600],
      ] as const) {
        const at = (start + ahead) * suite.intervalNs + suite.intervalNs / 2n;
        await waitFor(() => BigInt(Date.now()) * 1_000_000n >= at, { deadlineMs: DEADLINE_MS, what: "moment" });
        suite.source?.write(`step ${by}\n`);
      }
    });
    expectTrue(blocks, ledger);
    expect(reasonsOf(blocks)).toContain(LossReason.CLOCK_STEP);
  }, 120_000);
});
