import { silentLogger } from "@waymark/agent";
import { LossReason as R, LossVerdict as V } from "@waymark/proto/query";
import { StoreClock } from "../src/clock.ts";
import { type LossChange, LossFeed } from "../src/loss-feed.ts";
import { openChdb } from "../src/store/chdb.ts";
import { prepareSchema } from "../src/store/schema.ts";
import type { Store } from "../src/store/store.ts";
import { block, type Fact, flow, L, presence, storeFacts } from "./history.ts";
import { temporaryDirectory, until } from "./temporary.ts";

const directory = temporaryDirectory();
// It goes on when a test says so.
let nowNs = (BigInt(Math.floor(Date.now() / 10_000)) - 1000n) * L;
// A block whose records come in time when they are stored now.
let B: bigint;
let store: Store;
let paths = 0;
let path: string;

beforeAll(async () => {
  store = await openChdb(directory.path);
  await prepareSchema(store, 30 * 86_400);
});

beforeEach(() => {
  path = `feed-${paths++}`;
  nowNs += 20n * L;
  B = nowNs / L - 2n;
});

afterAll(async () => {
  await store.close();
  directory.remove();
});

/** A feed and all that it has told of this test's path. */
async function startFeed() {
  const feed = new LossFeed(store, new StoreClock(() => nowNs), silentLogger);
  const told: LossChange[] = [];
  feed.subscribe((changes) => told.push(...changes.filter(({ row }) => row.path.startsWith(path))));
  await feed.start();
  return { feed, told };
}

// Stores facts as of now, as an insert would, and says which blocks they touch.
async function stored(...facts: Fact[]) {
  nowNs += L / 4n;
  const own = facts.map((fact) => ({ ...fact, path, storedNs: nowNs }));
  nowNs += 1_000_000n;
  await storeFacts(store, own);
  return {
    blocks: own.filter((fact) => fact.kind === "block"),
    announced: own.filter((fact) => fact.kind === "presence"),
  };
}

const linesOf = (changes: readonly LossChange[]) =>
  changes.map(({ row, again }) => [row.flow, row.verdict, row.reasons, row.revision, again]);

test("a JOINED that comes after the decision, of an agent that nobody knew, changes the block and is told", async () => {
  const { feed, told } = await startFeed();
  feed.touched(await stored(block("source", B), block("sink", B)));
  await until("the block", () => told[0]);
  feed.touched(await stored(presence("sink", true, (B - 2n) * L, { id: "right-2" })));
  await until("the change", () => told[1]);
  await feed.close();
  expect(linesOf(told)).toEqual([
    ["default", V.COMPLETE, [], 1, false],
    ["default", V.MISSING_SINK, [], 2, true],
  ]);
});

test("a flow that a late report moves to other is told of once more", async () => {
  const { feed, told } = await startFeed();
  const flows = [flow("a", 10n), flow("b", 20n)];
  feed.touched(await stored(block("source", B, { flows }), block("sink", B, { flows })));
  await until("both flows", () => told[1]);
  const late = { id: "left-2", overflowed: true, flows: [flow("a", 0n), flow("other", 1n)] };
  feed.touched(await stored(block("source", B, late)));
  await until("all flows", () => told[4]);
  await feed.close();
  expect(linesOf(told)).toEqual([
    ["a", V.COMPLETE, [], 1, false],
    ["b", V.COMPLETE, [], 1, false],
    ["a", V.COMPLETE, [], 2, true],
    ["other", V.COMPLETE, [R.OVERFLOW], 2, false],
    ["b", V.INVALID, [R.OVERFLOW], 2, true],
  ]);
  expect(told.at(-1)?.row).toMatchObject({ sentPackets: 0n, receivedPackets: 0n, numbered: false });
});

test("what was stored or whose time was up while no feed ran is told by the next one, and only that", async () => {
  const first = await startFeed();
  first.feed.touched(await stored(block("source", B), block("sink", B)));
  await until("the block", () => first.told[0]);
  await first.feed.close();
  // Stored, and the process gone before it was told of.
  await stored(block("source", B + 1n), block("sink", B + 1n, { flows: [flow("default", 90n)] }));
  const open = B + 5n;
  nowNs += 5n * L;
  await stored(block("source", open));
  nowNs += 3n * L;
  const second = await startFeed();
  await until("both blocks", () => second.told[1]);
  second.feed.touched(await stored(block("source", open + 9n), block("sink", open + 9n)));
  await until("the next block", () => second.told[2]);
  await second.feed.close();
  expect(second.told.map(({ row, again }) => [row.blockNumber, row.verdict, again])).toEqual([
    [B + 1n, V.COMPLETE, false],
    [open, V.MISSING_SINK, false],
    [open + 9n, V.COMPLETE, false],
  ]);

  const third = await startFeed();
  third.feed.touched(await stored(block("sink", B, { id: "right-2", flows: [flow("default", 0n)] })));
  await until("the change", () => third.told[0]);
  await third.feed.close();
  expect(third.told.map(({ row, again }) => [row.blockNumber, row.verdict, row.revision, again])).toEqual([
    [B, V.COMPLETE, 2, false],
    [B + 1n, V.MISSING_SINK, 2, false],
  ]);
});
