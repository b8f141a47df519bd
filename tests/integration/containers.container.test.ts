import {
  describeWithDocker,
  type LossyRouter,
  ledgerRules,
  RouterLedger,
  sendDatagrams,
  waitFor,
} from "@waymark/testkit";
import { ContainerSuite } from "./src/container-suite.ts";
import { buildImages } from "./src/images.ts";
import { expectTouched, killAll, victims } from "./src/kills.ts";
import { expectCompleteBetween, expectTrue } from "./src/truth.ts";

const PORT = 5001;
const RATE = 1000;
const DEADLINE_MS = 90_000;

describeWithDocker("source, router, sink, broker and collector in containers", { tools: ["nft", "ip"] }, () => {
  beforeAll(() => buildImages(), 600_000);

  test.each(["privileged", "capabilities"] as const)(
    "%s agents: every COMPLETE block is the router's",
    async (rights) => {
      await using suite = await ContainerSuite.start({ rights });
      await loseOneIn(suite.path.router, 50);
      await using ledger = RouterLedger.start(suite.path.router, suite.intervalNs);
      await send(suite, 8);
      const blocks = await settled(suite, ledger);
      expectCompleteBetween(blocks);
      const judged = expectTrue(blocks, ledger);
      expect(judged.blocks).toBeGreaterThanOrEqual(4);
      expect(judged.dropped).toBeGreaterThan(0n);
    },
    240_000,
  );

  test("each part killed: touched blocks are not COMPLETE, it resumes within two blocks, no COMPLETE block is wrong", async () => {
    await using suite = await ContainerSuite.start({ rights: "privileged" });
    await loseOneIn(suite.path.router, 100);
    await using ledger = RouterLedger.start(suite.path.router, suite.intervalNs);
    const stop = new AbortController();
    const traffic = sendUntil(suite, stop.signal);
    const moments = [350, 800, 100, 600];
    const kills = await killAll(suite, victims, () => moments.shift() ?? 0);
    stop.abort();
    await traffic;
    const blocks = await settled(suite, ledger);
    const judged = expectTrue(blocks, ledger);
    expect(judged.dropped).toBeGreaterThan(0n);
    for (const kill of kills) expectTouched(kill, kills, blocks);
  }, 300_000);

  test("healthy means measuring: a running agent whose interface is down is not", async () => {
    await using suite = await ContainerSuite.start({ rights: "privileged" });
    const { ns, device } = suite.path.source;
    await healthIs(suite, "healthy");
    await ns.ip(`link set dev ${device} down`);
    await healthIs(suite, "unhealthy");
    await ns.ip(`link set dev ${device} up`);
    await healthIs(suite, "healthy");
  }, 240_000);
});

function loseOneIn(router: LossyRouter, every: number): Promise<void> {
  return router.apply(ledgerRules([{ name: "drop", select: { every }, action: "drop" }]));
}

function send(suite: ContainerSuite, seconds: number) {
  const { source, sink } = suite.path;
  const count = RATE * seconds;
  return sendDatagrams(source.ns, { to: sink.ipv4, port: PORT, rate: RATE, count, deadlineMs: DEADLINE_MS });
}

async function sendUntil(suite: ContainerSuite, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await send(suite, 1);
}

async function settled(suite: ContainerSuite, ledger: RouterLedger) {
  const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
  await suite.api.settled(last, DEADLINE_MS);
  return suite.api.blocks();
}

async function healthIs(suite: ContainerSuite, status: string): Promise<void> {
  await waitFor(async () => (await suite.health("source")) === status, { deadlineMs: 30_000, what: status });
}
