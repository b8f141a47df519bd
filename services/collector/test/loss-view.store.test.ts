import fc from "fast-check";
import { openChdb } from "../src/store/chdb.ts";
import { LOSS_ROW_COLUMNS, lossRow } from "../src/store/loss-row.ts";
import { lossRule } from "../src/store/loss-view.ts";
import { prepareSchema } from "../src/store/schema.ts";
import type { Store } from "../src/store/store.ts";
import type { LossRow } from "../src/verdict.ts";
import { type BlockFacts, block, type Fact, flow, L, presence, storeFacts } from "./history.ts";
import { expectedLoss } from "./loss-oracle.ts";
import { temporaryDirectory } from "./temporary.ts";

const directory = temporaryDirectory();
let store: Store;

beforeAll(async () => {
  store = await openChdb(directory.path);
  await prepareSchema(store, 30 * 86_400);
});

afterAll(async () => {
  await store.close();
  directory.remove();
});

// 2026-11-20: rows of today are not dropped by the retention.
const FIRST = BigInt(Math.floor(Date.now() / 10_000)) - 1000n;
const BLOCKS = 6;

const often = <T>(usual: T, ...rare: T[]) =>
  fc.oneof({ weight: 24, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...rare) });

const count = fc.oneof(
  { weight: 5, arbitrary: fc.bigInt({ min: 90n, max: 110n }) },
  { weight: 2, arbitrary: fc.constant(100n) },
  { weight: 1, arbitrary: fc.constant(0n) },
);

const flows = fc.uniqueArray(
  fc.record({
    flow: fc.oneof({ weight: 6, arbitrary: fc.constant("default") }, fc.constantFrom("a", "b", "other")),
    packets: count,
    fragments: often(0n, 1n),
    outOfGuard: often(0n, 0n, 1n),
  }),
  { selector: (f) => f.flow, minLength: 0, maxLength: 3 },
);

const record = fc.record({
  there: often(true, false),
  parts: often(1, 2),
  dropPart: often(false, true),
  twice: often(false, false, true),
  lateness: often(0n, L, 4n * L, 20n * L),
  coverage: often("whole", "starts late", "ends early", "gap", "tight", "hole after"),
  ruleHash: often(1n, 2n),
  overflowed: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.boolean()),
  stepped: often(false, true),
  unmatched: often(0n, 0n, 3n),
  jitter: fc.bigInt({ min: 0n, max: 2_000_000_000n }),
  flows,
});

const agent = fc.record({
  role: fc.constantFrom("source" as const, "sink" as const),
  interface: often("eth0", "eth1"),
  kernel: fc.constantFrom("kernel-1", "kernel-1", "kernel-2", ""),
  synchronised: often(true, false),
  trusted: often(false, true),
  maxErrorNs: often(1_000_000n, L / 3n),
  offsetNs: often(5_000_000n, -(L / 3n), L / 3n),
  guardNs: often(L / 4n, L / 8n),
  intervalNs: often(L, L, L / 2n),
  joined: fc.option(fc.bigInt({ min: -2n, max: 3n }), { nil: undefined }),
  left: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, fc.bigInt({ min: 0n, max: BigInt(BLOCKS) })),
  first: fc.nat({ max: 2 }),
  records: fc.array(record, { minLength: 1, maxLength: BLOCKS }),
});

type AgentScript = typeof agent extends fc.Arbitrary<infer A> ? A : never;

function factsOf(script: AgentScript, path: string, index: number): Fact[] {
  const { role, guardNs, intervalNs } = script;
  const own = {
    path,
    boot: `boot-${index}`,
    kernel: script.kernel,
    interface: script.interface,
    synchronised: script.synchronised,
    trusted: script.trusted,
    maxErrorNs: script.maxErrorNs,
    offsetNs: script.offsetNs,
    intervalNs,
  };
  const facts: Fact[] = [];
  const first = (FIRST * L) / intervalNs;
  if (script.joined !== undefined) {
    const atNs = (FIRST + script.joined) * L + L / 3n;
    facts.push(presence(role, true, atNs, { ...own, storedNs: atNs + 1_000_000n }));
  }
  if (script.left !== undefined) {
    const atNs = (FIRST + script.left) * L + L / 5n;
    facts.push(presence(role, false, atNs, { ...own, storedNs: atNs + 1_000_000n }));
  }
  for (const [index, r] of script.records.entries()) {
    if (!r.there) continue;
    const usual = block(role, first + BigInt(script.first + index), { ...own, guardNs });
    const startNs = usual.blockNumber * intervalNs;
    const shape: Partial<BlockFacts> = {
      ruleHash: r.ruleHash,
      overflowed: r.overflowed,
      stepped: r.stepped,
      unmatched: r.unmatched,
      storedNs: usual.storedNs + r.lateness + r.jitter,
      ...coverageOf(r.coverage, startNs, intervalNs, guardNs),
    };
    for (let part = 0; part < r.parts; part++) {
      if (r.dropPart && part > 0) continue;
      const half = r.flows.filter((_, i) => i % r.parts === part).map((f) => flow(f.flow, f.packets, f));
      const storedNs = (shape.storedNs ?? 0n) + BigInt(part) * 7n;
      const fact = { ...usual, ...shape, storedNs, part, parts: r.parts, flows: half };
      facts.push({ ...fact, sequence: block(role, 0n).sequence });
      if (r.twice) facts.push({ ...fact, sequence: block(role, 0n).sequence, storedNs: storedNs + L });
    }
  }
  return facts;
}

function coverageOf(kind: string, startNs: bigint, intervalNs: bigint, guardNs: bigint): Partial<BlockFacts> {
  const endNs = startNs + intervalNs;
  if (kind === "starts late") return { fromNs: startNs + intervalNs / 2n };
  if (kind === "ends early") return { toNs: endNs - intervalNs / 3n };
  if (kind === "gap") return { fromNs: startNs + 1n, toNs: endNs - 1n };
  if (kind === "tight") return { fromNs: startNs - guardNs, toNs: endNs + guardNs };
  if (kind === "hole after") return { fromNs: startNs, toNs: endNs };
  return {};
}

async function actualLoss(nowNs: bigint, path = "", fromNs = 0n, toNs = 2n ** 63n - 1n): Promise<LossRow[]> {
  const rows = await store.query(
    `SELECT ${LOSS_ROW_COLUMNS} FROM (${lossRule()}) ORDER BY path, start_ns, interval_ns, flow`,
    { now_ns: nowNs, from_ns: fromNs, to_ns: toNs, path },
  );
  return rows.map(lossRow);
}

const scripts = fc
  .sample(fc.array(agent, { minLength: 1, maxLength: 4 }), { numRuns: 200, seed: 20_261_120 })
  .map((agents, index) => {
    const path = `random-${String(index).padStart(3, "0")}`;
    return { path, facts: agents.flatMap((script, nth) => factsOf(script, path, nth)) };
  });

function expectedOfAll(nowNs: bigint): LossRow[] {
  return scripts.flatMap(({ path, facts }) => expectedLoss(facts, path, nowNs));
}

describe("the rule in SQL is the rule in words, for random histories", () => {
  beforeAll(() =>
    storeFacts(
      store,
      scripts.flatMap(({ facts }) => facts),
    ),
  );

  test.each([0n, 1n, 2n, 3n, 4n, 5n, 6n, 8n, 12n, 40n])("after %s intervals", async (intervals) => {
    const nowNs = FIRST * L + intervals * L + (intervals * L) / 7n;
    expect(await actualLoss(nowNs)).toEqual(expectedOfAll(nowNs));
  });

  test.each([
    [0n, 3n],
    [2n, 3n],
    [3n, 9n],
    [7n, 7n],
  ])("for the slice of time from block %s to %s alone", async (from, to) => {
    const nowNs = (FIRST + 9n) * L;
    const [fromNs, toNs] = [(FIRST + from) * L, (FIRST + to) * L];
    const within = expectedOfAll(nowNs).filter(({ startNs }) => startNs >= fromNs && startNs < toNs);
    expect(await actualLoss(nowNs, "", fromNs, toNs)).toEqual(within);
  });

  test("for one path alone", async () => {
    const nowNs = (FIRST + 40n) * L;
    for (const { path, facts } of scripts.slice(0, 5)) {
      expect(await actualLoss(nowNs, path)).toEqual(expectedLoss(facts, path, nowNs));
    }
  });

  test("as a view with parameters", async () => {
    const nowNs = (FIRST + 5n) * L;
    const rows = await store.query(
      `SELECT ${LOSS_ROW_COLUMNS} FROM loss(now_ns = {now:UInt64}, from_ns = 0, to_ns = ${(FIRST + 9n) * L}, path = '')
      ORDER BY path, start_ns, interval_ns, flow`,
      { now: nowNs },
    );
    expect(rows.map(lossRow)).toEqual(expectedOfAll(nowNs).filter(({ startNs }) => startNs < (FIRST + 9n) * L));
  });

  test("and the histories lead to every verdict and every reason", () => {
    const rows = [1n, 4n, 40n].flatMap((intervals) => expectedOfAll((FIRST + intervals) * L));
    const verdicts = new Set(rows.map(({ verdict }) => verdict));
    const reasons = new Set(rows.flatMap((row) => row.reasons));
    expect([...verdicts].sort()).toEqual([1, 2, 3, 4, 5]);
    expect([...reasons].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(rows.filter(({ verdict }) => verdict === 2).length).toBeGreaterThan(60);
  });
});
