import type { Report } from "@waymark/proto/report";
import { Pusher, queryClient, startTestCollector, type TestCollector } from "./harness.ts";
import { type BlockFacts, block, flow, L, presence, reportOf } from "./history.ts";
import { temporaryDirectory, until } from "./temporary.ts";

const directory = temporaryDirectory();
let collector: TestCollector;
let pusher: Pusher;

async function start(): Promise<void> {
  collector = await startTestCollector(directory.path);
  pusher = new Pusher(collector.grpcPort);
}

async function stop(): Promise<void> {
  pusher.close();
  await collector.close();
}

beforeAll(start);
afterAll(async () => {
  await stop();
  directory.remove();
});

const nowNs = () => BigInt(Date.now()) * 1_000_000n;
// The latest block that every agent would have reported by now.
const B = nowNs() / L - 2n;

function recent(role: "source" | "sink", blockNumber: bigint, more: Partial<BlockFacts> = {}): Report {
  return reportOf({ ...block(role, blockNumber, more), storedNs: nowNs() });
}

async function blocksOf(path: string) {
  return (await queryClient(collector.apiPort).listLoss({ path })).blocks;
}

test("reports become blocks and a printed line", async () => {
  const source = recent("source", B, { path: "story", flows: [flow("default", 1000n)] });
  const sink = recent("sink", B, { path: "story", flows: [flow("default", 997n)] });
  const answers = await pusher.push(source, sink);
  expect(answers.map(({ sequence, kind, refused }) => [sequence, kind, refused])).toEqual([
    [source.sequence, "loss", ""],
    [sink.sequence, "loss", ""],
  ]);
  expect(await blocksOf("story")).toMatchObject([{ lostPackets: 3n, sentPackets: 1000n, revision: 1 }]);
  const line = await until("a line", () => collector.lines.find((text) => text.includes("loss=3")));
  expect(line).toMatch(/^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] loss=3$/);
});

test("the same report again is acknowledged and not stored, also at the same moment and after a restart", async () => {
  const reports = [recent("source", B, { path: "again" }), recent("sink", B, { path: "again" })];
  const joined = reportOf({ ...presence("source", true, nowNs(), { path: "again" }), storedNs: nowNs() });
  const answers = await pusher.push(...reports, ...reports, joined, joined);
  expect(answers.every(({ refused }) => refused === "")).toBe(true);
  await pusher.push(...reports, joined);
  await stop();
  await start();
  await pusher.push(...reports, joined);
  expect(await blocksOf("again")).toMatchObject([{ sentPackets: 100n, receivedPackets: 100n, lostPackets: 0n }]);
});

test("reports of one boot out of order and with gaps are all stored, once", async () => {
  const boot = "gaps";
  const reports = [5n, 1n, 9n, 2n, 8n].map((sequence, index) =>
    recent("source", B - BigInt(index), { path: "gaps", boot, sequence }),
  );
  await pusher.push(...reports);
  await stop();
  await start();
  await pusher.push(...reports, recent("source", B - 7n, { path: "gaps", boot, sequence: 3n }));
  const blocks = await blocksOf("gaps");
  expect(blocks.map(({ sentPackets }) => sentPackets)).toEqual([100n, 100n, 100n, 100n, 100n, 100n]);
});

test("lost reports are shown as lost", async () => {
  const agent = { path: "lossy", id: "lossy-agent", boot: "lossy-boot" };
  await pusher.push(
    recent("source", B - 1n, { ...agent, sequence: 2n }),
    recent("source", B, { ...agent, sequence: 7n }),
  );
  const { agents } = await queryClient(collector.apiPort).listAgents({ agent: "lossy-agent" });
  expect(agents).toMatchObject([{ agent: "lossy-agent", lostReports: 5n, counters: { no_match: 3n } }]);
  expect(agents[0]?.flags).toContain("reports lost");
});

describe("refused with a reason, and the stream goes on:", () => {
  const change = (more: Partial<BlockFacts>) => () => recent("source", B, { path: "refused", ...more });
  const edit = (edits: (report: Report) => void) => () => {
    const report = recent("source", B, { path: "refused" });
    edits(report);
    return report;
  };
  const cases: [string, () => Report, RegExp][] = [
    ["an agent id with a dot", change({ id: "a.b" }), /agent id/],
    ["no agent id", change({ id: "" }), /agent id/],
    ["an agent id of 65 letters", change({ id: "a".repeat(65) }), /agent id/],
    [
      "another role",
      edit((r) => {
        r.agent!.role = "middle";
      }),
      /role/,
    ],
    ["a boot id with a slash", change({ boot: "a/b" }), /boot_id/],
    ["a kernel's boot id with a blank", change({ kernel: "a b" }), /kernel_boot_id/],
    ["a control character in a path", change({ path: "a\u001b[2J" }), /path name/],
    ["a path without a name", change({ path: "" }), /path name/],
    ["no sequence", change({ sequence: 0n }), /sequence 0/],
    [
      "no payload",
      edit((r) => {
        r.payload = { case: undefined };
      }),
      /unknown payload kind/,
    ],
    [
      "no clock",
      edit((r) => {
        delete r.clock;
      }),
      /clock/,
    ],
    [
      "a clock that was never set",
      edit((r) => {
        r.sentAtNs = 5n;
      }),
      /sent_at_ns 5/,
    ],
    ["no interval", change({ intervalNs: 1n, guardNs: 0n, blockNumber: 1n, fromNs: 0n, toNs: 1n }), /year/],
    [
      "an interval of two days",
      edit((r) => {
        lossOf(r).intervalNs = 2n * 86_400_000_000_000n;
      }),
      /interval_ns/,
    ],
    [
      "an interval of zero",
      edit((r) => {
        lossOf(r).intervalNs = 0n;
      }),
      /interval_ns 0/,
    ],
    ["a guard band of half the interval", change({ guardNs: L / 2n }), /guard_ns/],
    [
      "a block of tomorrow",
      edit((r) => {
        lossOf(r).blockNumber += 20_000n;
      }),
      /ahead/,
    ],
    [
      "a block number beyond all time",
      edit((r) => {
        lossOf(r).blockNumber = 2n ** 63n;
      }),
      /block_number/,
    ],
    [
      "a block that was not watched then",
      edit((r) => {
        lossOf(r).blockNumber -= 5n;
      }),
      /not when it was watched/,
    ],
    ["coverage that ends before it begins", change({ fromNs: B * L + 5n, toNs: B * L }), /covered_from_ns/],
    ["no parts", change({ parts: 0 }), /parts 0/],
    ["a part beyond the last", change({ part: 2, parts: 2 }), /part 2/],
    ["too many parts", change({ parts: 65_537 }), /parts 65537/],
    ["a flow name of 257 letters", change({ flows: [flow("f".repeat(257), 1n)] }), /flow name/],
    ["a flow twice", change({ flows: [flow("a", 1n), flow("a", 1n)] }), /twice/],
    ["more fragments than packets", change({ flows: [flow("a", 1n, { fragments: 2n })] }), /fragments 2/],
    ["more out of guard than packets", change({ flows: [flow("a", 1n, { outOfGuard: 2n })] }), /out_of_guard 2/],
    ["more packets than any link carries", change({ flows: [flow("a", 2n ** 60n, { l3Bytes: 1n })] }), /any link/],
    [
      "a presence in no state",
      edit((r) => {
        r.payload = { case: "presence", value: presenceOf(0) };
      }),
      /state 0/,
    ],
  ];
  test.each(cases)("%s", async (_, make, why) => {
    const [bad, good] = await pusher.push(make(), recent("source", B, { path: "after-refusals" }));
    expect(bad?.refused).toMatch(why);
    expect(good?.refused).toBe("");
    expect(await blocksOf("refused")).toEqual([]);
  });

  test("bytes that are no message, and reports beyond a mebibyte", async () => {
    const already = pusher.responses.length;
    pusher.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
    pusher.sendBytes(Buffer.from([0x0a, 0x03, 0x0a, 0x7f, 0x01]));
    const flows = Array.from({ length: 8000 }, (_, i) => flow(`${i}`.padEnd(200, "x"), 1n));
    pusher.send(recent("source", B, { path: "refused", flows }));
    pusher.send(recent("source", B, { path: "after-refusals" }));
    const answers = (await pusher.answered(already + 4)).slice(already);
    const refused = answers.map((answer) => answer.refused).sort();
    expect(refused[0]).toBe("");
    expect(refused.slice(1)).toEqual([
      expect.stringMatching(/bytes are more than 1048576/),
      expect.stringMatching(/not a report/),
      expect.stringMatching(/not a report/),
    ]);
  });
});

test("a spooled report counts its clock from when it was sent, not from when it was measured", async () => {
  const old = recent("source", B - 300n, { path: "spooled", id: "spooler", boot: "spool", sequence: 1n });
  old.sentAtNs = nowNs() - 20_000_000n;
  await pusher.push(old);
  const { agents } = await queryClient(collector.apiPort).listAgents({ agent: "spooler" });
  const offset = agents[0]?.clock?.offset;
  expect(offset?.seconds).toBe(0n);
  expect(offset?.nanos).toBeGreaterThanOrEqual(19_000_000);
});

test("a thousand reports on one stream are all answered, in batches", async () => {
  const boot = "many";
  const reports = Array.from({ length: 1000 }, (_, i) =>
    recent("source", B - BigInt(i), { path: "many", boot, sequence: BigInt(i + 1) }),
  );
  const answers = await pusher.push(...reports);
  expect(new Set(answers.map(({ sequence }) => sequence)).size).toBe(1000);
  const first = await queryClient(collector.apiPort).listLoss({ path: "many", pageSize: 10_000 });
  expect(first.blocks).toHaveLength(1000);
});

function lossOf(report: Report) {
  if (report.payload.case !== "loss") throw new Error("not a loss report");
  return report.payload.value.blocks[0]!;
}

function presenceOf(state: number) {
  const report = reportOf(presence("source", true, nowNs()));
  if (report.payload.case !== "presence") throw new Error("not a presence");
  report.payload.value.state = state;
  return report.payload.value;
}
