import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { formatAddress } from "@waymark/packet";
import { type Flow, type Rtt, RttSide } from "@waymark/proto/query";
import {
  type DistributionSchema,
  FlowEventKind,
  type FlowKey,
  type RttBatch,
  RttBatchSchema,
  RttMethod,
  type RttSummary,
  RttSummarySchema,
} from "@waymark/proto/report";
import {
  distributionOf,
  expectStatistics,
  nsOfDuration,
  nsOfTime,
  SECOND_NS as S,
  someDelays,
  timeOf,
} from "./distributions.ts";
import { Pusher, queryClient, startTestCollector, type TestCollector } from "./harness.ts";
import { key, nowNs, octets, type Reporter, reportFrom } from "./kind-reports.ts";
import { Random } from "./random.ts";
import { temporaryDirectory } from "./temporary.ts";

const directory = temporaryDirectory();
const random = new Random(5);
const BEGIN = (nowNs() / (100n * S)) * 100n * S - 3600n * S;
const METHODS = [RttMethod.TCP_TIMESTAMP, RttMethod.DNS, RttMethod.QUIC_SPIN];
let collector: TestCollector;
let pusher: Pusher;

/** What was measured of one flow or prefix in one interval. */
interface SummaryFact {
  readonly agent: string;
  readonly subject: string;
  readonly flow: FlowKey | undefined;
  readonly summary: RttSummary;
  readonly values: readonly number[];
}

/** One sample, as text to compare. */
interface SampleFact {
  readonly flow: FlowKey;
  readonly local: boolean;
  readonly method: RttMethod;
  readonly atNs: bigint;
  readonly text: string;
}

const summaries: SummaryFact[] = [];
const samples: SampleFact[] = [];
const events: string[] = [];
const FLOWS = [0, 1, 2, 3, 4].map((i) =>
  key({
    sourceAddress: octets(i < 3 ? `10.0.1.${i}` : `2001:db8::${i}`),
    destinationAddress: octets(i < 3 ? "10.0.2.1" : "2001:db8:2::1"),
    sourcePort: 1000 + i,
    destinationPort: i === 1 ? 53 : 443,
    protocol: i === 1 ? 17 : 6,
  }),
);
const PREFIXES = ["10.0.1.0/24", "2001:db8::/48"];

const nameOf = (flow: FlowKey) =>
  `${formatAddress(flow.sourceAddress)} ${flow.sourcePort} ${formatAddress(flow.destinationAddress)} ${flow.destinationPort}`;
const nameOfAnswer = (flow: Flow | undefined) =>
  `${flow?.sourceAddress} ${flow?.sourcePort} ${flow?.destinationAddress} ${flow?.destinationPort}`;

function batch(agent: string): RttBatch {
  const made = Array.from({ length: 8 }, () => someSummary(agent));
  const count = random.below(30);
  const column = Array.from({ length: count }, () => ({
    flow: random.below(FLOWS.length),
    at: BEGIN + random.big(1000) * S + random.big(5),
    rtt: random.big(10 ** (1 + random.below(10))),
    method: random.of(METHODS),
    local: random.once(3),
    confidence: random.below(1001),
  }));
  const certain = random.once(2);
  for (const { flow, at, rtt, method, local, confidence } of column) {
    const ratio = certain ? 1 : confidence / 1000;
    const text = `${agent} ${nameOf(FLOWS[flow]!)} ${at} ${rtt} ${method} ${local} ${ratio}`;
    samples.push({ flow: FLOWS[flow]!, local, method, atNs: at, text });
  }
  const told = Array.from({ length: random.below(5) }, () => ({
    flow: random.below(FLOWS.length),
    atNs: BEGIN + random.big(1000) * S,
    kind: random.of([FlowEventKind.OPENING, FlowEventKind.CLOSING]),
    reason: random.of(["SYN-ACK", "FIN", "timeout"]),
    triggeredBy: random.of(["src", "dest", "garbage collection"]),
  }));
  for (const { flow, atNs, kind, reason, triggeredBy } of told) {
    events.push(`${agent} ${nameOf(FLOWS[flow]!)} ${atNs} ${kind} ${reason} ${triggeredBy}`);
  }
  return create(RttBatchSchema, {
    flows: FLOWS,
    summaries: made,
    events: told,
    samples: {
      flow: column.map(({ flow }) => flow),
      atNs: column.map(({ at }) => at),
      rttNs: column.map(({ rtt }) => rtt),
      method: column.map(({ method }) => method),
      local: column.map(({ local }) => local),
      confidencePermille: certain ? [] : column.map(({ confidence }) => confidence),
    },
  });
}

function someSummary(agent: string): RttSummary {
  const place = random.below(FLOWS.length + PREFIXES.length);
  const flow = FLOWS[place];
  const prefix = PREFIXES[place - FLOWS.length] ?? "";
  const values = someDelays(random, 60);
  const fromNs = BEGIN + random.big(100) * 10n * S;
  const summary = create(RttSummarySchema, {
    subject: flow === undefined ? { case: "prefix", value: prefix } : { case: "flow", value: place },
    fromNs,
    toNs: fromNs + 10n * S,
    method: random.of(METHODS),
    local: random.once(3),
    rtt: distributionOf(values),
    sentPackets: random.big(1000),
    sentL3Bytes: random.big(1000),
    receivedPackets: random.big(1000),
    receivedL3Bytes: random.big(1000),
    measurablePackets: random.big(1000),
  });
  summaries.push({ agent, subject: flow === undefined ? prefix : nameOf(flow), flow, summary, values });
  return summary;
}

beforeAll(async () => {
  collector = await startTestCollector(directory.path);
  pusher = new Pusher(collector.grpcPort);
  const reports = ["left", "right"].flatMap((id) => {
    const from: Reporter = { id, service: "pping", role: "observer", interface: "eth0", boot: `boot-${id}` };
    return Array.from({ length: 15 }, (_, i) =>
      reportFrom(from, BigInt(i + 1), { case: "rtt", value: i === 7 ? {} : batch(id) }),
    );
  });
  const answers = await pusher.push(...random.shuffled([...reports, ...reports.slice(3, 9)]));
  expect(answers.map(({ refused }) => refused).filter((why) => why !== "")).toEqual([]);
}, 60_000);

afterAll(async () => {
  pusher.close();
  await collector.close();
  directory.remove();
});

const client = () => queryClient(collector.apiPort);
type Request = Parameters<ReturnType<typeof client>["listRtt"]>[0];

/** Every row must be the values of its group, and every group must be there. */
function expectRows(rows: readonly Rtt[], facts: readonly SummaryFact[], stepNs?: bigint): void {
  const window = (ns: bigint) => (stepNs === undefined ? 0n : ns / stepNs);
  const groups = Map.groupBy(facts, ({ agent, subject, summary: { method, local, fromNs } }) =>
    [window(fromNs), agent, subject, method, local].join(" "),
  );
  const seen = rows.map((row) => {
    const subject = row.prefix === "" ? nameOfAnswer(row.flow) : row.prefix;
    const name = [window(nsOfTime(row.startTime)!), row.agent, subject, row.method, row.side === RttSide.LOCAL].join(
      " ",
    );
    const group = groups.get(name) ?? [];
    const sum = (count: (summary: RttSummary) => bigint) =>
      group.reduce((total, { summary }) => total + count(summary), 0n);
    const times = group.map(({ summary }) => summary.fromNs).toSorted((a, b) => Number(a - b));
    expect(nsOfTime(row.startTime)).toBe(times[0]);
    expect(nsOfTime(row.endTime)).toBe(times.at(-1)! + 10n * S);
    expect([row.sentPackets, row.sentL3Bytes, row.receivedPackets, row.receivedL3Bytes, row.measurablePackets]).toEqual(
      [
        sum(({ sentPackets }) => sentPackets),
        sum(({ sentL3Bytes }) => sentL3Bytes),
        sum(({ receivedPackets }) => receivedPackets),
        sum(({ receivedL3Bytes }) => receivedL3Bytes),
        sum(({ measurablePackets }) => measurablePackets),
      ],
    );
    expect(row.interface).toBe("eth0");
    expectStatistics(
      row.rtt,
      group.flatMap(({ values }) => values),
    );
    return name;
  });
  expect(seen.toSorted()).toEqual([...groups.keys()].toSorted());
}

async function all(request: Request): Promise<Rtt[]> {
  const rows: Rtt[] = [];
  let pageToken = "";
  do {
    const page = await client().listRtt({ ...request, pageToken });
    rows.push(...page.rtts);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return rows;
}

describe("summaries", () => {
  test("are merged over the whole time, percentiles too", async () => {
    expectRows(await all({}), summaries);
    expectRows(await all({ pageSize: 7 }), summaries);
  });

  test.each([10n, 60n, 333n])("are merged in windows of %d s, the oldest first", async (seconds) => {
    const rows = await all({ step: { seconds, nanos: 0 } });
    expectRows(rows, summaries, seconds * S);
    const windows = rows.map(({ startTime }) => startTime!.seconds / seconds);
    expect(windows).toEqual(windows.toSorted((a, b) => Number(a - b)));
  });

  const cases: [Request, (fact: SummaryFact) => boolean][] = [
    [{ agent: "left" }, ({ agent }) => agent === "left"],
    [{ interface: "eth1" }, ({ flow }) => flow?.interface === "eth1"],
    [{ address: "10.0.1.0/31" }, ({ flow }) => flow !== undefined && FLOWS.indexOf(flow) < 2],
    [{ destinationAddress: "2001:db8:2::1" }, ({ flow }) => flow !== undefined && FLOWS.indexOf(flow) > 2],
    [{ port: 53 }, ({ flow }) => flow?.destinationPort === 53],
    [{ prefix: "10.0.1.0/24" }, ({ subject }) => subject === "10.0.1.0/24"],
    [{ method: RttMethod.DNS }, ({ summary: { method } }) => method === RttMethod.DNS],
    [{ side: RttSide.LOCAL }, ({ summary: { local } }) => local],
    [{ side: RttSide.REMOTE, protocol: "tcp" }, ({ flow, summary: { local } }) => !local && flow?.protocol === 6],
    [
      { startTime: timeOf(BEGIN + 200n * S), endTime: timeOf(BEGIN + 500n * S) },
      ({ summary: { fromNs } }) => fromNs >= BEGIN + 200n * S && fromNs < BEGIN + 500n * S,
    ],
  ];
  test.each(cases)("filtered: %#", async (request, holds) => {
    expectRows(await all(request), summaries.filter(holds));
  });

  test("of unlike precision are merged at the coarser one; without a histogram there are no percentiles", async () => {
    const from = { id: "mixed", service: "pping", role: "observer", interface: "eth0", boot: "mixed" };
    const values = [5, 100, 1000, 70_000, 70_500, 2_000_000];
    const summary = (value: number, rtt: MessageInitShape<typeof DistributionSchema>) => ({
      ...{ subject: { case: "flow" as const, value }, fromNs: BEGIN, toNs: BEGIN + S, method: RttMethod.DNS, rtt },
    });
    // 2^3 buckets a doubling: e · 8 + (v >> e) with e = floor(log2(v)) - 3.
    const two = { count: 2n, minNs: 9n, maxNs: 16n, sumNs: 25n };
    const histogram = { precisionBits: 3, buckets: [9, 16], counts: [1n, 1n] };
    const told = [summary(0, distributionOf(values)), summary(0, { ...two, histogram }), summary(1, two)];
    await pusher.push(reportFrom(from, 1n, { case: "rtt", value: { flows: FLOWS, summaries: told } }));
    const { rtts } = await client().listRtt({ agent: "mixed" });
    const [mixed, without] = rtts.toSorted((a, b) => Number(b.rtt!.count - a.rtt!.count));
    expect(mixed?.rtt?.percentileErrorRatio).toBe(1 / 8);
    expectStatistics(mixed?.rtt, [...values, 9, 16]);
    expect(nsOfDuration(without?.rtt?.max)).toBe(16n);
    expect([without?.rtt?.p50, without?.rtt?.p999]).toEqual([undefined, undefined]);
  });

  test.each<[Request, RegExp]>([
    [{ step: { seconds: 0n, nanos: 0 } }, /step/],
    [{ step: { seconds: -1n, nanos: 0 } }, /step/],
    [{ pageSize: 1001 }, /page_size/],
    [{ method: 300 as RttMethod }, /method 300/],
    [{ side: 3 as RttSide }, /side 3/],
    [{ prefix: "1".repeat(257) }, /longer/],
  ])("refused: %#", async (request, why) => {
    const error = ConnectError.from(
      await client()
        .listRtt(request)
        .catch((reason: unknown) => reason),
    );
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.message).toMatch(why);
  });
});

describe("samples", () => {
  async function texts(request: Parameters<ReturnType<typeof client>["listRttSamples"]>[0]): Promise<string[]> {
    const found: string[] = [];
    let pageToken = "";
    do {
      const page = await client().listRttSamples({ ...request, pageToken });
      for (const { agent, flow, time, rtt, method, side, confidenceRatio } of page.samples) {
        const local = side === RttSide.LOCAL;
        found.push(
          `${agent} ${nameOfAnswer(flow)} ${nsOfTime(time)} ${nsOfDuration(rtt)} ${method} ${local} ${confidenceRatio}`,
        );
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return found;
  }

  test.each([10, 10_000])("are all there, once, oldest first, in pages of %d", async (pageSize) => {
    const found = await texts({ pageSize });
    expect(found.toSorted()).toEqual(samples.map(({ text }) => text).toSorted());
    const times = found.map((text) => BigInt(text.split(" ")[5]!));
    expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  });

  test("more than one look-up finds, in rows that overlap, are all there, once", async () => {
    const from = { id: "many", service: "pping", role: "observer", interface: "eth0", boot: "many" };
    const made = Array.from({ length: 8 }, (_, i) => {
      const count = 700;
      const atNs = Array.from({ length: count }, () => BEGIN + (random.big(1000) + BigInt(i) * 300n) * 1_000_000n);
      const rttNs = atNs.map((_at, j) => BigInt(i * count + j));
      return { atNs, rttNs, ...{ flow: atNs.map(() => 0), method: atNs.map(() => 1), local: atNs.map(() => false) } };
    });
    await pusher.push(
      ...made.map((columns, i) =>
        reportFrom(from, BigInt(i + 1), { case: "rtt", value: { flows: FLOWS, samples: columns } }),
      ),
    );
    const found = await texts({ agent: "many", pageSize: 450 });
    const fields = found.map((text) => text.split(" "));
    expect(fields.map((words) => Number(words[6])).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 5600 }, (_, i) => i),
    );
    const times = fields.map((words) => BigInt(words[5]!));
    expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  });

  test("filtered by flow, method, side and their own time", async () => {
    const request = {
      ...{ port: 53, method: RttMethod.DNS, side: RttSide.REMOTE },
      ...{ startTime: timeOf(BEGIN + 100n * S), endTime: timeOf(BEGIN + 900n * S) },
    };
    const expected = samples.filter(
      ({ flow, method, local, atNs }) =>
        flow.destinationPort === 53 &&
        method === RttMethod.DNS &&
        !local &&
        atNs >= BEGIN + 100n * S &&
        atNs < BEGIN + 900n * S,
    );
    expect(expected.length).toBeGreaterThan(3);
    expect((await texts({ ...request, pageSize: 4 })).toSorted()).toEqual(expected.map(({ text }) => text).toSorted());
  });
});

test("events of flows are all there, oldest first, in pages", async () => {
  const found: string[] = [];
  let pageToken = "";
  do {
    const page = await client().listFlowEvents({ pageSize: 11, pageToken });
    for (const { agent, flow, time, kind, reason, triggeredBy } of page.events) {
      found.push(`${agent} ${nameOfAnswer(flow)} ${nsOfTime(time)} ${kind} ${reason} ${triggeredBy}`);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(found.toSorted()).toEqual(events.toSorted());
});
