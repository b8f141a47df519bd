import { LossReason } from "@waymark/proto/query";
import { describePrivileged, ledgerRules, RouterLedger, sendDatagrams, waitFor } from "@waymark/testkit";
import { isComplete, Suite } from "./src/suite.ts";
import { expectTrue } from "./src/truth.ts";

const PORT = 5001;
const RATE = 1000;
const SECONDS = 22;
const STOPPED_S = 11;
const DEADLINE_MS = 90_000;

describePrivileged("an agent that is stopped for longer than its blocks can wait", { tools: ["nft"] }, () => {
  test.each(["source", "sink"] as const)(
    "%s: what passed uncounted is in no COMPLETE block, and blocks are COMPLETE again afterwards",
    async (role) => {
      const perFlow = ["--per-flow"]; // eight blocks can wait
      await using suite = await Suite.start({ sourceArguments: perFlow, sinkArguments: perFlow });
      await suite.path.router.apply(ledgerRules([{ name: "drop", select: { every: 40 }, action: "drop" }]));
      await using ledger = RouterLedger.start(suite.path.router, suite.intervalNs);
      const count = RATE * SECONDS;
      const to = { to: suite.path.sink.ipv4, port: PORT, rate: RATE, count, deadlineMs: DEADLINE_MS };
      const begin = performance.now();
      const passed = (seconds: number) =>
        waitFor(() => performance.now() >= begin + seconds * 1000, { deadlineMs: DEADLINE_MS, what: "time" });
      const stall = async () => {
        await passed(3);
        suite[role]?.signal("SIGSTOP");
        await passed(3 + STOPPED_S);
        suite[role]?.signal("SIGCONT");
      };
      await Promise.all([sendDatagrams(suite.path.source.ns, to), stall()]);
      const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
      await suite.settled(last, DEADLINE_MS);
      const blocks = await suite.blocks();
      expect(expectTrue(blocks, ledger).dropped).toBeGreaterThan(0n);
      const uncovered = blocks.filter((block) => block.verdictReasons.includes(LossReason.COVERAGE));
      expect(uncovered.length).toBeGreaterThan(0);
      const resumed = blocks.filter((block) => block.blockNumber > last - 3n && block.blockNumber <= last);
      expect(resumed.length).toBeGreaterThan(0);
      expect(resumed.every(isComplete)).toBe(true);
    },
    180_000,
  );
});
