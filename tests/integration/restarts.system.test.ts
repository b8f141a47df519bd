import type { LossBlock } from "@waymark/proto/query";
import { describePrivileged, ledgerRules, RouterLedger, sendDatagrams, waitFor } from "@waymark/testkit";
import { isComplete, Suite } from "./src/suite.ts";
import { expectTrue } from "./src/truth.ts";

const PORT = 5001;
const KILLS = 10;
const RATE = 1000;
const SECONDS = 60;
const DEADLINE_MS = 90_000;
const SEED = 20;

type Victim = "nats" | "collector" | "source" | "sink";

/** What was killed in which block, and the block in which it measured again. */
interface Kill {
  readonly victim: Victim;
  readonly killed: bigint;
  readonly back: bigint;
}

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
    const kills = await killAll(suite, random(SEED));
    await traffic;
    const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
    await suite.settled(last, DEADLINE_MS);
    const blocks = await suite.blocks();
    const judged = expectTrue(blocks, ledger);
    expect(judged.dropped).toBeGreaterThan(0n);
    for (const kill of kills) expectTouched(kill, kills, blocks);
  }, 300_000);
});

async function killAll(suite: Suite, pick: (below: number) => number): Promise<Kill[]> {
  const victims: readonly Victim[] = ["nats", "collector", "source", "sink"];
  const kills: Kill[] = [];
  for (let i = 0; i < KILLS; i++) {
    const victim = i < victims.length ? victims[i] : victims[pick(victims.length)];
    if (victim === undefined) continue;
    await moment(suite, BigInt(pick(1000)));
    const killed = openBlock(suite);
    suite[victim]?.signal("SIGKILL");
    await suite[victim]?.exited;
    await start(suite, victim);
    kills.push({ victim, killed, back: openBlock(suite) });
    // Two blocks of rest, so that what each kill does can be told apart.
    await moment(suite, 0n, 4n);
  }
  return kills;
}

function openBlock(suite: Suite): bigint {
  return (BigInt(Date.now()) * 1_000_000n) / suite.intervalNs;
}

/** Waits for the moment `perMille` of the way into the block `ahead` from now. */
async function moment(suite: Suite, perMille: bigint, ahead = 1n): Promise<void> {
  const at = (openBlock(suite) + ahead) * suite.intervalNs + (suite.intervalNs * perMille) / 1000n;
  await waitFor(() => BigInt(Date.now()) * 1_000_000n >= at, { deadlineMs: 20_000, what: "moment" });
}

function start(suite: Suite, victim: Victim): Promise<unknown> {
  if (victim === "nats") return suite.startNats();
  if (victim === "collector") return suite.startCollector();
  return victim === "source" ? suite.startSource() : suite.startSink();
}

/** Blocks that an agent's restart touched are not COMPLETE; two blocks after it they are. Others' restarts touch none. */
function expectTouched(kill: Kill, kills: readonly Kill[], blocks: readonly LossBlock[]): void {
  const completeIn = (number: bigint) => blocks.some((block) => block.blockNumber === number && isComplete(block));
  const isAgent = kill.victim === "source" || kill.victim === "sink";
  if (isAgent) expect({ kill, complete: completeIn(kill.killed) }).toEqual({ kill, complete: false });
  const others = kills.filter((other) => other !== kill);
  const next = kill.back + 2n;
  if (others.some((other) => next >= other.killed - 1n && next <= other.back + 1n)) return;
  expect({ kill, next, complete: completeIn(next) }).toEqual({ kill, next, complete: true });
}
