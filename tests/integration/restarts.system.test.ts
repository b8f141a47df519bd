import { describePrivileged, ledgerRules, RouterLedger, sendDatagrams } from "@waymark/testkit";
import { expectTouched, killAll, type Victim, victims } from "./src/kills.ts";
import { Suite } from "./src/suite.ts";
import { expectTrue } from "./src/truth.ts";

const PORT = 5001;
const KILLS = 10;
const RATE = 1000;
const SECONDS = 60;
const DEADLINE_MS = 90_000;
const SEED = 20;

/** xorshift32: the same kills at the same moments in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

describePrivileged("killed at random moments", { tools: ["nft", "nats-server"] }, () => {
  test(`${KILLS} SIGKILLs of broker, collector, source and sink: no COMPLETE block wrong, none twice (seed ${SEED})`, async () => {
    await using suite = await Suite.start({ transport: "nats" });
    const drop = { name: "drop", select: { every: 100 }, action: "drop" as const };
    await suite.path.router.apply(ledgerRules([drop]));
    await using ledger = RouterLedger.start(suite.path.router, suite.intervalNs);
    const traffic = sendDatagrams(suite.path.source.ns, {
      to: suite.path.sink.ipv4,
      port: PORT,
      rate: RATE,
      count: RATE * SECONDS,
      deadlineMs: 2 * DEADLINE_MS,
    });
    const pick = random(SEED);
    const who = Array.from({ length: KILLS }, (_, i) => victims[i] ?? (victims[pick(victims.length)] as Victim));
    const kills = await killAll(suite, who, () => pick(1000));
    await traffic;
    const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
    await suite.settled(last, DEADLINE_MS);
    const blocks = await suite.blocks();
    const judged = expectTrue(blocks, ledger);
    expect(judged.dropped).toBeGreaterThan(0n);
    for (const kill of kills) expectTouched(kill, kills, blocks);
  }, 300_000);
});
