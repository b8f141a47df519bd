import { LossReason as R, LossVerdict as V } from "@waymark/proto/query";
import { formatLossLine } from "../src/print.ts";
import { openChdb } from "../src/store/chdb.ts";
import { END_OF_TIME_NS, listLoss } from "../src/store/loss-query.ts";
import { prepareSchema } from "../src/store/schema.ts";
import type { Store } from "../src/store/store.ts";
import type { LossRow } from "../src/verdict.ts";
import { block, type Fact, flow, L, presence, storeFacts } from "./history.ts";
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

// The block that is looked at, and the one before it, in which the sink has counted a packet already.
const B = BigInt(Math.floor(Date.now() / 10_000)) - 1000n;
const START = B * L;
const D = L / 4n;
const LATER = (B + 50n) * L;

let paths = 0;

async function judge(facts: readonly Fact[], nowNs = LATER): Promise<LossRow[]> {
  const path = `case-${paths++}`;
  await storeFacts(
    store,
    facts.map((fact) => ({ ...fact, path })),
  );
  const filter = { path, flow: "", agent: "", fromNs: START, toNs: START + 1n };
  return [...(await listLoss(store, nowNs, filter, 100)).rows];
}

async function only(facts: readonly Fact[], nowNs = LATER): Promise<LossRow> {
  const rows = await judge(facts, nowNs);
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

const before = [block("source", B - 1n), block("sink", B - 1n)];
const pair = (source: Parameters<typeof block>[2] = {}, sink: Parameters<typeof block>[2] = {}) => [
  ...before,
  block("source", B, source),
  block("sink", B, sink),
];

test("sent minus received is the loss, and a whole block is COMPLETE", async () => {
  const row = await only(pair({ flows: [flow("default", 1000n)] }, { flows: [flow("default", 990n)] }));
  expect(row).toMatchObject({ verdict: V.COMPLETE, lostPackets: 10n, lossRatio: 0.01, reasons: [], revision: 1 });
  expect(row).toMatchObject({ sentL3Bytes: 100_000n, receivedL3Bytes: 99_000n });
});

test("several sources and sinks are summed", async () => {
  const row = await only([
    ...pair({ flows: [flow("default", 70n)] }, { flows: [flow("default", 50n)] }),
    block("source", B, { id: "left-2", flows: [flow("default", 30n)] }),
    block("sink", B, { id: "right-2", flows: [flow("default", 49n)] }),
  ]);
  expect(row).toMatchObject({ verdict: V.COMPLETE, sentPackets: 100n, receivedPackets: 99n, lostPackets: 1n });
  expect(row.agents).toEqual(["left", "left-2", "right", "right-2"]);
});

describe("what makes a block INVALID", () => {
  const cases: [string, R[], Fact[], shown: string][] = [
    ["the source did not watch its beginning", [R.COVERAGE], pair({ fromNs: START + 1n }), "?"],
    ["the sink did not watch the guard band", [R.COVERAGE], pair({}, { toNs: START + L + D - 1n }), "?"],
    [
      "packets far from the boundary",
      [R.GUARD_BAND],
      pair({}, { flows: [flow("default", 100n, { outOfGuard: 1n })] }),
      "?",
    ],
    ["an unsynchronised clock on another host", [R.CLOCK], pair({ kernel: "k2", synchronised: false }), "0"],
    ["clock errors beyond the guard band", [R.CLOCK], pair({ kernel: "k2", maxErrorNs: D }), "0"],
    ["a clock that is ahead of the collector's", [R.CLOCK], pair({ kernel: "k2", offsetNs: -D - 1n }), "0"],
    [
      "a vouched clock that is off all the same",
      [R.CLOCK],
      pair({ kernel: "k2", trusted: true, offsetNs: D + 1n }),
      "0",
    ],
    ["unknown kernels", [R.CLOCK], pair({ kernel: "", synchronised: false }, { kernel: "" }), "0"],
    ["a clock step", [R.CLOCK_STEP], pair({ stepped: true }), "?"],
    ["other flow rules", [R.CONFIG], pair({ ruleHash: 2n }), "?"],
    ["more received than sent", [R.NEGATIVE], pair({}, { flows: [flow("default", 103n)] }), "-3"],
    [
      "fragments made on the way",
      [R.FRAGMENTED_ON_PATH],
      pair({}, { flows: [flow("default", 98n, { fragments: 4n })] }),
      "2",
    ],
    [
      "a sink that never counted a packet",
      [R.PATH_UNCONFIRMED],
      [block("source", B), block("sink", B, { flows: [flow("default", 0n)] })],
      "?",
    ],
    [
      "two boots of one agent that both watched all of it",
      [R.DUPLICATE_AGENT],
      [...pair(), block("source", B, { boot: "boot-2" })],
      "?",
    ],
    [
      "two boots of one agent that overlap",
      [R.DUPLICATE_AGENT],
      [
        ...pair({ toNs: START + 6n }, {}),
        block("source", B, { boot: "boot-2", fromNs: START + 5n, flows: [flow("default", 0n)] }),
      ],
      "?",
    ],
    [
      "two boots of one agent that overlap because the clock was set",
      [R.CLOCK_STEP],
      [
        ...pair({ toNs: START + 6n, stepped: true }, {}),
        block("source", B, { boot: "boot-2", fromNs: START + 5n, flows: [flow("default", 0n)] }),
      ],
      "?",
    ],
    [
      "two boots of one agent that overlapped three blocks before, though one has not reported yet",
      [R.DUPLICATE_AGENT],
      [...pair(), block("sink", B - 3n), block("sink", B - 3n, { boot: "boot-2" })],
      "?",
    ],
    [
      "a boot that joined while another one of the same agent watched",
      [R.DUPLICATE_AGENT],
      [...pair(), presence("sink", true, START + 5n, { boot: "boot-2" })],
      "?",
    ],
    [
      "marked fragments that match no rule of the sink",
      [R.FRAGMENTED_ON_PATH],
      pair({}, { flows: [flow("default", 98n)], unmatched: 4n }),
      "2",
    ],
    ["one part twice", [R.DUPLICATE_AGENT], [...pair(), block("source", B, { flows: [flow("default", 0n)] })], "?"],
    [
      "several things at once, in the order of their numbers",
      [R.COVERAGE, R.CLOCK_STEP, R.NEGATIVE],
      pair({ fromNs: START + 1n, stepped: true, flows: [flow("default", 99n)] }),
      "?",
    ],
  ];
  test.each(cases)("%s", async (_, reasons, facts, shown) => {
    const row = await only(facts);
    expect(row.verdict).toBe(V.INVALID);
    expect(row.reasons).toEqual(reasons);
    const words = reasons.map((reason) => R[reason].toLowerCase()).join(", ");
    const line = formatLossLine(row, { named: false, revised: false, colour: false });
    expect(line.slice("[2020-09-20 08:08:20] ".length)).toBe(`loss=${shown} (invalid: ${words})`);
  });

  test("fragments made on the way, in all flows: they match other rules than the packets that they were made of", async () => {
    const rows = await judge(
      pair(
        { flows: [flow("voice", 100n), flow("rest", 50n, { fragments: 50n })] },
        { flows: [flow("voice", 60n), flow("rest", 130n, { fragments: 130n })] },
      ),
    );
    expect(rows.map((row) => [row.flow, row.lostPackets, row.verdict, row.reasons])).toEqual([
      ["rest", -80n, V.INVALID, [R.NEGATIVE, R.FRAGMENTED_ON_PATH]],
      ["voice", 40n, V.INVALID, [R.FRAGMENTED_ON_PATH]],
    ]);
  });

  test("fragments made on the way, though as many made before the source were lost in another flow", async () => {
    const rows = await judge(
      pair(
        { flows: [flow("voice", 100n), flow("rest", 90n, { fragments: 90n }), flow("web", 10n)] },
        { flows: [flow("voice", 100n), flow("rest", 60n, { fragments: 60n }), flow("web", 10n, { fragments: 10n })] },
      ),
    );
    expect(rows.map(({ verdict }) => verdict)).toEqual([V.INVALID, V.INVALID, V.INVALID]);
  });

  test("another interval on the same path", async () => {
    const L2 = L / 2n;
    const own = block("sink", 2n * B, { intervalNs: L2, guardNs: D / 2n });
    const rows = await judge([...before, block("source", B), own]);
    expect(rows.map(({ intervalNs, verdict, reasons }) => [intervalNs, verdict, reasons])).toEqual([
      [L2, V.INVALID, [R.CONFIG]],
      [L, V.INVALID, [R.CONFIG]],
    ]);
    expect(rows.every(({ lostPackets, numbered }) => lostPackets === 0n && !numbered)).toBe(true);
  });
});

describe("what does not", () => {
  const cases: [string, Fact[]][] = [
    ["an unsynchronised clock under the same kernel", pair({ synchronised: false })],
    ["a vouched clock", pair({ kernel: "k2", synchronised: false, trusted: true, maxErrorNs: L })],
    ["clock errors up to the guard band", pair({ kernel: "k2", maxErrorNs: D - 1_000_000n })],
    ["a sink that watched exactly the guard band", pair({}, { fromNs: START - D, toNs: START + L + D })],
    ["a source that watched exactly the block", pair({ fromNs: START, toNs: START + L })],
    [
      "a restart that leaves no gap",
      [
        ...pair({ toNs: START + 5n, flows: [flow("default", 40n)] }, {}),
        block("source", B, { boot: "boot-2", fromNs: START + 5n, flows: [flow("default", 60n)] }),
      ],
    ],
    [
      "fragments made before the source",
      pair(
        { flows: [flow("default", 100n, { fragments: 7n })] },
        { flows: [flow("default", 100n, { fragments: 7n })] },
      ),
    ],
    [
      "two parts of one block",
      [
        ...pair({ parts: 2, flows: [flow("default", 50n)] }, { flows: [flow("default", 50n)] }),
        block("source", B, { part: 1, parts: 2, flows: [flow("b", 0n)] }),
      ],
    ],
  ];
  test.each(cases)("%s", async (_, facts) => {
    const rows = await judge(facts);
    expect(rows.map(({ verdict, reasons }) => [verdict, reasons])).toEqual(rows.map(() => [V.COMPLETE, []]));
  });
});

describe("a confirmed path", () => {
  const nothing = { flows: [flow("default", 0n)] };

  test("shows a dead path as loss of everything", async () => {
    expect(await only(pair({}, nothing))).toMatchObject({ verdict: V.COMPLETE, lostPackets: 100n, lossRatio: 1 });
  });

  test("is unconfirmed again when a new agent joins the pair, until packets arrive", async () => {
    const facts = [...before, block("source", B, { id: "new" }), block("sink", B, nothing), block("source", B)];
    expect(await only(facts)).toMatchObject({ verdict: V.INVALID, reasons: [R.PATH_UNCONFIRMED], lostPackets: 0n });
  });

  test("was confirmed long before the blocks that are asked for", async () => {
    const facts = [block("source", B - 900n), block("sink", B - 900n), block("source", B), block("sink", B, nothing)];
    expect(await only(facts)).toMatchObject({ verdict: V.COMPLETE, lostPackets: 100n });
  });

  test("is not confirmed by packets that come afterwards", async () => {
    const facts = [block("source", B), block("sink", B, nothing), block("source", B + 1n), block("sink", B + 1n)];
    expect(await only(facts)).toMatchObject({ verdict: V.INVALID, reasons: [R.PATH_UNCONFIRMED] });
  });
});

describe("who is awaited", () => {
  const deadline = START + L + L / 2n + 2n * L;

  test("a block is PENDING until its time is up, and then without what is missing", async () => {
    const facts = [...before, block("source", B)];
    expect(await only(facts, deadline - 1n)).toMatchObject({ verdict: V.PENDING, revision: 0, lostPackets: 0n });
    expect(await only(facts, deadline)).toMatchObject({ verdict: V.MISSING_SINK, revision: 1, lostPackets: 0n });
    expect(await only([...before, block("sink", B)], deadline)).toMatchObject({ verdict: V.MISSING_SOURCE });
  });

  test("a short interval waits ten seconds", async () => {
    const short = { intervalNs: 1_000_000_000n, guardNs: 250_000_000n };
    const facts = [block("source", B * 10n, short)];
    const end = START + 1_000_000_000n + 500_000_000n + 10_000_000_000n;
    expect(await only(facts, end - 1n)).toMatchObject({ verdict: V.PENDING });
    expect(await only(facts, end)).toMatchObject({ verdict: V.MISSING_SINK });
  });

  test("an agent that has reported in one of the three blocks before is", async () => {
    const second = { id: "right-2" };
    const three = await only([...pair(), block("sink", B - 3n, second)]);
    expect(three.verdict).toBe(V.MISSING_SINK);
    const four = await only([...pair(), block("sink", B - 4n, second)]);
    expect(four.verdict).toBe(V.COMPLETE);
  });

  test("an agent that has joined is, one that has left before the block is not", async () => {
    const second = { id: "left-2" };
    const joined = presence("source", true, START - L + 5n, second);
    expect((await only([...pair(), joined])).verdict).toBe(V.MISSING_SOURCE);
    const left = presence("source", false, START - 5n, second);
    expect((await only([...pair(), joined, left])).verdict).toBe(V.COMPLETE);
    const leftIn = presence("source", false, START + 5n, second);
    expect((await only([...pair(), joined, leftIn])).verdict).toBe(V.MISSING_SOURCE);
  });

  test("a boot that left does not excuse the boot that came after it", async () => {
    const facts = [
      ...before,
      block("source", B),
      presence("sink", false, START - 5n),
      presence("sink", true, START - 4n, { boot: "boot-2" }),
    ];
    expect((await only(facts)).verdict).toBe(V.MISSING_SINK);
  });

  test("half of the parts is as good as nothing", async () => {
    const facts = pair({ parts: 2 });
    expect((await only(facts, deadline - 1n)).verdict).toBe(V.PENDING);
    expect(await only(facts)).toMatchObject({ verdict: V.MISSING_SOURCE, lostPackets: 0n, numbered: false });
  });
});

describe("revisions", () => {
  const late = (storedNs: bigint) => [...before, block("source", B), block("sink", B, { storedNs })];

  test("a report that comes after the decision changes the block", async () => {
    const facts = late(START + 9n * L);
    expect(await only(facts, START + 20n * L)).toMatchObject({ verdict: V.COMPLETE, revision: 2 });
  });

  test("a report in time does not, however long the block was open", async () => {
    expect(await only(late(START + 3n * L))).toMatchObject({ verdict: V.COMPLETE, revision: 1 });
  });

  test("a JOINED that comes late and makes somebody expected counts", async () => {
    const second = { id: "right-2", storedNs: START + 9n * L };
    const joined = presence("sink", true, START + 5n, second);
    expect(await only([...pair(), joined])).toMatchObject({ verdict: V.MISSING_SINK, revision: 2 });
    const report = block("sink", B, { ...second, storedNs: START + 10n * L, flows: [flow("default", 0n)] });
    expect(await only([...pair(), joined, report])).toMatchObject({ verdict: V.COMPLETE, revision: 3 });
    const known = presence("sink", true, START + 5n, { storedNs: START + 9n * L });
    expect(await only([...pair(), known])).toMatchObject({ verdict: V.COMPLETE, revision: 1 });
  });

  test("each report that comes late counts once", async () => {
    const storedNs = START + 9n * L;
    const third = { id: "right-2", storedNs: START + 10n * L, flows: [flow("default", 0n)] };
    expect(await only([...late(storedNs), block("sink", B, third)])).toMatchObject({ revision: 3 });
  });
});

describe("overflow", () => {
  const byFlow = (rows: readonly LossRow[]) =>
    Object.fromEntries(rows.map((row) => [row.flow, [row.sentPackets, row.receivedPackets, row.verdict, row.reasons]]));

  test("flows that one side lacks are moved to other on both sides, so that the path's total is exact", async () => {
    const rows = await judge(
      pair(
        { overflowed: true, flows: [flow("a", 10n), flow("other", 25n)] },
        { flows: [flow("a", 9n), flow("b", 14n), flow("c", 10n)] },
      ),
    );
    expect(byFlow(rows)).toEqual({
      a: [10n, 9n, V.COMPLETE, []],
      other: [25n, 24n, V.COMPLETE, [R.OVERFLOW]],
    });
  });

  test("a flow that one of two full tables lacks is moved too", async () => {
    const rows = await judge([
      ...pair({ overflowed: true, flows: [flow("a", 10n)] }, { flows: [flow("a", 15n)] }),
      block("source", B, { id: "left-2", overflowed: true, flows: [flow("other", 5n)] }),
    ]);
    expect(byFlow(rows)).toEqual({ other: [15n, 15n, V.COMPLETE, [R.OVERFLOW]] });
  });

  test("a flow that is partly in the source's other is moved too", async () => {
    const rows = await judge(
      pair(
        { overflowed: true, flows: [flow("a", 60n), flow("b", 9n), flow("other", 45n)] },
        { flows: [flow("a", 99n), flow("b", 8n), flow("c", 5n)] },
      ),
    );
    expect(byFlow(rows)).toEqual({
      b: [9n, 8n, V.COMPLETE, []],
      other: [105n, 104n, V.COMPLETE, [R.OVERFLOW]],
    });
  });

  test("flows that may be partly in the sink's other are moved too", async () => {
    const rows = await judge(
      pair(
        { flows: [flow("a", 100n), flow("b", 9n), flow("c", 5n)] },
        { overflowed: true, flows: [flow("a", 60n), flow("b", 9n), flow("other", 44n)] },
      ),
    );
    expect(byFlow(rows)).toEqual({
      b: [9n, 9n, V.COMPLETE, []],
      other: [105n, 104n, V.COMPLETE, [R.OVERFLOW]],
    });
  });

  test("without an overflow a flow on one side only is lost, or too many", async () => {
    const rows = await judge(pair({ flows: [flow("a", 10n)] }, { flows: [flow("b", 3n)] }));
    expect(byFlow(rows)).toEqual({ a: [10n, 0n, V.COMPLETE, []], b: [0n, 3n, V.INVALID, [R.NEGATIVE]] });
  });
});

test("what cannot be numbers of a block is not counted: an empty report has no block", async () => {
  const everything = { path: "", flow: "", agent: "", fromNs: 0n, toNs: END_OF_TIME_NS };
  const rows = (await listLoss(store, LATER, everything, 10_000)).rows;
  expect(rows.every(({ path }) => path.startsWith("case-"))).toBe(true);
});
