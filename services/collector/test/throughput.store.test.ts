import { create, equals } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  SequenceCountsSchema as AnswerSequenceSchema,
  FlowGrouping,
  FlowOrder,
  type Throughput,
} from "@waymark/proto/query";
import {
  type SequenceCounts,
  SequenceCountsSchema,
  type ThroughputRecord,
  ThroughputRecordSchema,
} from "@waymark/proto/report";
import { nsOfDuration, nsOfTime, SECOND_NS as S, timeOf } from "./distributions.ts";
import { Pusher, queryClient, startTestCollector, type TestCollector } from "./harness.ts";
import { key, nowNs, octets, reportFrom } from "./kind-reports.ts";
import { Random } from "./random.ts";
import { temporaryDirectory } from "./temporary.ts";

const directory = temporaryDirectory();
const random = new Random(7);
const BEGIN = nowNs() - 3600n * S;
let collector: TestCollector;
let pusher: Pusher;

/** A record and the gaps between packets that its mean and deviation are of. */
interface Fact {
  readonly agent: string;
  readonly port: number;
  readonly record: ThroughputRecord;
  readonly gaps: readonly number[];
}

const facts: Fact[] = [];
// Each flow does everything or nothing of what is optional; that is how an agent is told.
const FLOWS = [1000, 1001, 1002, 1003].map((port) =>
  key({ sourcePort: port, protocol: port === 1003 ? 17 : 6, sourceAddress: octets(`10.0.${port - 1000}.1`) }),
);

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
/** Of a sample. */
function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function someRecord(agent: string, nth: bigint): ThroughputRecord {
  const flow = random.of(FLOWS);
  const gaps = Array.from({ length: random.below(20) }, () => random.below(10 ** random.below(9)));
  const payload = random.big(10 ** 9);
  const fromNs = BEGIN + nth * S;
  const record = create(ThroughputRecordSchema, {
    flow,
    fromNs,
    toNs: fromNs + S,
    packets: random.big(10_000),
    l3Bytes: random.big(10 ** 9),
    payloadBytes: payload,
    goodputBytes: payload / 2n,
    gaps: BigInt(gaps.length),
    ...(gaps.length > 0 && { gapMeanNs: meanOf(gaps) }),
    ...(gaps.length > 1 && { gapStddevNs: deviationOf(gaps) }),
    gapsInSuperPackets: BigInt(random.below(gaps.length + 1)),
    ...(flow.sourcePort !== 1000 && {
      rtpJitterNs: random.big(10 ** 6),
      burst1msL3Bytes: random.big(10 ** 6),
      burst10msL3Bytes: random.big(10 ** 7),
    }),
    ...(flow.sourcePort !== 1001 && { sequence: someSequence() }),
  });
  facts.push({ agent, port: flow.sourcePort, record, gaps });
  return record;
}

function someSequence(): SequenceCounts {
  const count = () => random.big(1000);
  return create(SequenceCountsSchema, {
    ...{ current: random.big(2 ** 32), received: count(), reverseErrors: count(), smallErrors: count() },
    ...{ bigErrors: count(), duplicates: count(), reordered: count(), lost: count(), lossEpisodes: count() },
    ...{ recovered: count(), lossEpisodesChange: count() - 500n, restarts: count() },
  });
}

beforeAll(async () => {
  collector = await startTestCollector(directory.path);
  pusher = new Pusher(collector.grpcPort);
  const reports = ["left", "right"].flatMap((id) => {
    const from = { id, service: "flowmon", role: "observer", interface: "eth0", boot: `boot-${id}` };
    return Array.from({ length: 10 }, (_, i) => {
      const records = Array.from({ length: i === 4 ? 0 : 9 }, (_, j) => someRecord(id, BigInt(i * 10 + j)));
      return reportFrom(from, BigInt(i + 1), { case: "throughput", value: { records } });
    });
  });
  const answers = await pusher.push(...random.shuffled([...reports, ...reports.slice(2, 7)]));
  expect(answers.map(({ refused }) => refused).filter((why) => why !== "")).toEqual([]);
}, 60_000);

afterAll(async () => {
  pusher.close();
  await collector.close();
  directory.remove();
});

const client = () => queryClient(collector.apiPort);
type Request = Parameters<ReturnType<typeof client>["listThroughput"]>[0];

async function all(request: Request): Promise<Throughput[]> {
  const rows: Throughput[] = [];
  let pageToken = "";
  do {
    const page = await client().listThroughput({ ...request, pageToken });
    rows.push(...page.throughputs);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return rows;
}

function expectRow(row: Throughput, group: readonly Fact[]): void {
  const records = group.map(({ record }) => record);
  const sum = (count: (record: ThroughputRecord) => bigint) => records.reduce((total, each) => total + count(each), 0n);
  const startNs = records.map(({ fromNs }) => fromNs).reduce((a, b) => (b < a ? b : a));
  const endNs = records.map(({ toNs }) => toNs).reduce((a, b) => (b > a ? b : a));
  const last = records.filter(({ toNs }) => toNs === endNs);
  expect([nsOfTime(row.startTime), nsOfTime(row.endTime), row.records]).toEqual([startNs, endNs, BigInt(group.length)]);
  const bytes = sum(({ l3Bytes }) => l3Bytes);
  const goodput = sum(({ goodputBytes }) => goodputBytes);
  expect([row.packets, row.l3Bytes, row.payloadBytes, row.goodputBytes, row.gaps, row.gapsInSuperPackets]).toEqual([
    ...[sum(({ packets }) => packets), bytes, sum(({ payloadBytes }) => payloadBytes), goodput],
    ...[sum(({ gaps }) => gaps), sum(({ gapsInSuperPackets }) => gapsInSuperPackets)],
  ]);
  const seconds = Number(endNs - startNs) / 1e9;
  expect(row.l3BytesPerSecond).toBeCloseTo(Number(bytes) / seconds, 3);
  expect(row.goodputBytesPerSecond).toBeCloseTo(Number(goodput) / seconds, 3);
  const gaps = group.flatMap((fact) => fact.gaps);
  expectNumber(row.gapMeanNs, gaps.length > 0 ? meanOf(gaps) : undefined);
  expectNumber(row.gapStddevNs, gaps.length > 1 ? deviationOf(gaps) : undefined);
  const most = (values: readonly (bigint | undefined)[]) =>
    values.includes(undefined) ? undefined : BigInt(Math.max(...values.map(Number)));
  expect(row.burst1msL3Bytes).toBe(most(records.map(({ burst1msL3Bytes }) => burst1msL3Bytes)));
  expect(row.burst10msL3Bytes).toBe(most(records.map(({ burst10msL3Bytes }) => burst10msL3Bytes)));
  expect(last.map(({ rtpJitterNs }) => rtpJitterNs)).toContain(nsOfDuration(row.rtpJitter));
  const sequences = records.flatMap(({ sequence }) => sequence ?? []);
  if (sequences.length === 0) {
    expect(row.sequence).toBeUndefined();
    return;
  }
  const total = create(AnswerSequenceSchema);
  for (const each of sequences) {
    for (const { localName } of SequenceCountsSchema.fields) {
      const field = localName as Exclude<keyof SequenceCounts, "$typeName" | "$unknown">;
      total[field] += each[field];
    }
  }
  expect(last.map(({ sequence }) => sequence?.current)).toContain(row.sequence?.current);
  total.current = row.sequence!.current;
  expect(equals(AnswerSequenceSchema, row.sequence!, total)).toBe(true);
}

function expectNumber(told: number | undefined, exact: number | undefined): void {
  if (exact === undefined) expect(told).toBeUndefined();
  else expect(Math.abs((told ?? Number.NaN) - exact)).toBeLessThanOrEqual(1e-9 * exact + 1e-6);
}

test.each([13, 10_000])("a series per flow, oldest first, in pages of %d", async (pageSize) => {
  const rows = await all({ pageSize });
  expect(rows).toHaveLength(facts.length);
  const times = rows.map(({ startTime }) => nsOfTime(startTime)!);
  expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
  const nameOf = (agent: string, startNs: bigint | undefined) => `${agent} ${startNs}`;
  for (const row of rows) {
    const own = (fact: Fact) => nameOf(fact.agent, fact.record.fromNs) === nameOf(row.agent, nsOfTime(row.startTime));
    const [fact, ...others] = facts.filter(own);
    expect([others.length, row.flow?.sourcePort, row.flow?.sourceAddress]).toEqual([
      0,
      fact?.port,
      `10.0.${fact!.port - 1000}.1`,
    ]);
    expectRow(row, [fact!]);
  }
});

test.each([
  [FlowOrder.UNSPECIFIED, (row: Throughput) => row.l3Bytes],
  [FlowOrder.PACKETS, (row: Throughput) => row.packets],
])("the sums of each flow in order %d, the largest first", async (order, rank) => {
  const rows = await all({ grouping: FlowGrouping.FLOWS, order, pageSize: 3 });
  const groups = Map.groupBy(facts, ({ agent, port }) => `${agent} ${port}`);
  expect(rows).toHaveLength(groups.size);
  for (const row of rows) expectRow(row, groups.get(`${row.agent} ${row.flow?.sourcePort}`)!);
  expect(rows.map(rank)).toEqual(rows.map(rank).toSorted((a, b) => (a > b ? -1 : 1)));
});

test("filters by flow, agent and time", async () => {
  const request = {
    protocol: "udp",
    agent: "left",
    startTime: timeOf(BEGIN + 10n * S),
    endTime: timeOf(BEGIN + 80n * S),
  };
  const expected = facts.filter(
    ({ agent, port, record: { fromNs } }) =>
      agent === "left" && port === 1003 && fromNs >= BEGIN + 10n * S && fromNs < BEGIN + 80n * S,
  );
  expect(expected.length).toBeGreaterThan(3);
  expect(await all(request)).toHaveLength(expected.length);
  const [row, ...others] = await all({ ...request, grouping: FlowGrouping.FLOWS });
  expect(others).toEqual([]);
  expectRow(row!, expected);
});

test("both directions as one is not for throughput", async () => {
  const error = await client()
    .listThroughput({ grouping: FlowGrouping.BIFLOWS })
    .catch((reason: unknown) => reason);
  expect(ConnectError.from(error).code).toBe(Code.InvalidArgument);
});
