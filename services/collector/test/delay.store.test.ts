import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { formatAddress } from "@waymark/packet";
import type { Delay, PacketCounts, RoundTrip, DelaySession as SessionAnswer } from "@waymark/proto/query";
import { type DelayBatchSchema, type DelaySummary, DelaySummarySchema } from "@waymark/proto/report";
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
import { nowNs, octets, reportFrom } from "./kind-reports.ts";
import { Random } from "./random.ts";
import { temporaryDirectory } from "./temporary.ts";

const directory = temporaryDirectory();
const random = new Random(6);
const BEGIN = (nowNs() / (100n * S)) * 100n * S - 3600n * S;
let collector: TestCollector;
let pusher: Pusher;

const SESSIONS = [0, 1, 2, 3].map((i) => ({
  senderAddress: octets(i < 2 ? "10.0.0.1" : "2001:db8::1"),
  reflectorAddress: octets(i < 2 ? "10.0.0.2" : "2001:db8::2"),
  senderPort: 40_000 + i,
  reflectorPort: 862,
  ssid: i,
  dscp: i * 10,
  authenticated: i === 1,
}));
const nameOf = (session: (typeof SESSIONS)[number]) =>
  `${formatAddress(session.senderAddress)} ${formatAddress(session.reflectorAddress)} ${session.senderPort} ` +
  `${session.reflectorPort} ${session.ssid} ${session.dscp} ${session.authenticated}`;
const nameOfAnswer = (session: SessionAnswer | undefined) =>
  `${session?.senderAddress} ${session?.reflectorAddress} ${session?.senderPort} ${session?.reflectorPort} ` +
  `${session?.ssid} ${session?.dscp} ${session?.authenticated}`;

/** A reflector that answers nothing does not show that it numbers its answers. */
const isStateful = (place: number, nth: number) => place > 1 && (place !== 3 || nth % 2 === 1);

/** One summary, with the values that its distributions are made of. */
interface SummaryFact {
  readonly agent: string;
  readonly session: (typeof SESSIONS)[number];
  readonly summary: DelaySummary;
  readonly stateful: boolean;
  readonly forward: readonly number[];
  readonly backward: readonly number[];
  readonly roundTrip: readonly number[];
  readonly residence: readonly number[];
}

const summaries: SummaryFact[] = [];
const samples: { readonly session: (typeof SESSIONS)[number]; readonly atNs: bigint; readonly text: string }[] = [];
const maybe = (most: number) => (random.once(3) ? {} : { value: random.big(most) });

function someSummary(agent: string, place: number, nth: number): DelaySummary {
  const session = SESSIONS[place]!;
  const stateful = isStateful(place, nth);
  // One-way delays may be negative.
  const roundTrip = someDelays(random, 40);
  const forward = roundTrip.map((value) => (random.once(2) ? -1 : 1) * Math.floor(value / 3));
  const backward = roundTrip.map((value, i) => value - forward[i]!);
  const residence = someDelays(random, 40);
  const fromNs = BEGIN + BigInt(nth) * 10n * S;
  const summary = create(DelaySummarySchema, {
    session: place,
    fromNs,
    toNs: fromNs + 10n * S,
    sentPackets: 100n + random.big(100),
    receivedPackets: random.big(100),
    lostPackets: random.big(100),
    ...(stateful && { lostForwardPackets: random.big(50), lostBackwardPackets: random.big(50) }),
    duplicatePackets: random.big(9),
    reorderedPackets: random.big(9),
    latePackets: random.big(9),
    forward: distributionOf(forward),
    backward: distributionOf(backward),
    roundTrip: distributionOf(roundTrip),
    residence: distributionOf(residence),
    ...optional("forwardJitterNs", maybe(10 ** 9).value),
    ...optional("roundTripJitterNs", maybe(10 ** 9).value),
    ...optional("backwardIpdvNs", maybe(10 ** 9).value),
    ...optional("roundTripIpdvNs", maybe(10 ** 9).value),
    ...(place !== 3 && { errorNs: random.big(10 ** 6) }),
    synchronised: place !== 2 || !random.once(3),
    waitNs: S * (1n + random.big(3)),
  });
  summaries.push({ agent, session, summary, stateful, forward, backward, roundTrip, residence });
  return summary;
}

function optional(name: string, value: bigint | undefined): object {
  return value === undefined ? {} : { [name]: value };
}

function batch(agent: string, nth: number): MessageInitShape<typeof DelayBatchSchema> {
  const column = Array.from({ length: random.below(20) }, () => ({
    session: random.below(SESSIONS.length),
    sequence: random.below(2 ** 31),
    at: BEGIN + random.big(1000) * S,
    forward: BigInt(random.below(2000) - 1000),
    backward: BigInt(random.below(2000) - 1000),
    roundTrip: BigInt(random.below(2000) - 10),
  }));
  for (const { session, sequence, at, forward, backward, roundTrip } of column) {
    const text = `${agent} ${nameOf(SESSIONS[session]!)} ${sequence} ${at} ${forward} ${backward} ${roundTrip}`;
    samples.push({ session: SESSIONS[session]!, atNs: at, text });
  }
  return {
    sessions: SESSIONS.map((session, place) => ({ ...session, stateful: isStateful(place, nth) })),
    summaries: SESSIONS.map((_, place) => someSummary(agent, place, nth)),
    samples: {
      session: column.map(({ session }) => session),
      sequence: column.map(({ sequence }) => sequence),
      atNs: column.map(({ at }) => at),
      forwardNs: column.map(({ forward }) => forward),
      backwardNs: column.map(({ backward }) => backward),
      roundTripNs: column.map(({ roundTrip }) => roundTrip),
    },
  };
}

beforeAll(async () => {
  collector = await startTestCollector(directory.path);
  pusher = new Pusher(collector.grpcPort);
  const reports = ["left", "right"].flatMap((id) => {
    const from = { id, service: "stamp", role: "sender", interface: "eth0", boot: `boot-${id}` };
    return Array.from({ length: 12 }, (_, i) =>
      reportFrom(from, BigInt(i + 1), { case: "delay", value: i === 5 ? {} : batch(id, i) }),
    );
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

/** What both methods are asked alike. */
interface Request {
  readonly agent?: string;
  readonly interface?: string;
  readonly address?: string;
  readonly senderAddress?: string;
  readonly reflectorAddress?: string;
  readonly port?: number;
  readonly ssid?: number;
  readonly startTime?: { seconds: bigint; nanos: number };
  readonly endTime?: { seconds: bigint; nanos: number };
  readonly step?: { seconds: bigint; nanos: number };
  readonly pageSize?: number;
}

async function delays(request: Request): Promise<Delay[]> {
  const rows: Delay[] = [];
  let pageToken = "";
  do {
    const page = await client().listDelay({ ...request, pageToken });
    rows.push(...page.delays);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return rows;
}

async function roundTrips(request: Request): Promise<RoundTrip[]> {
  const rows: RoundTrip[] = [];
  let pageToken = "";
  do {
    const page = await client().listRoundTrips({ ...request, pageToken });
    rows.push(...page.roundTrips);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return rows;
}

type Group = readonly SummaryFact[];
const windowOf = (ns: bigint, stepNs: bigint | undefined) => (stepNs === undefined ? 0n : ns / stepNs);

function groupsOf(facts: Group, stepNs: bigint | undefined): Map<string, SummaryFact[]> {
  return Map.groupBy(
    facts,
    ({ agent, session, summary }) => `${windowOf(summary.fromNs, stepNs)} ${agent} ${nameOf(session)}`,
  );
}

/** The group that a row is the sum of. What both answers have in common must be right. */
function groupOf(row: Delay | RoundTrip, groups: Map<string, SummaryFact[]>, stepNs: bigint | undefined): Group {
  const startNs = nsOfTime(row.startTime)!;
  const group = groups.get(`${windowOf(startNs, stepNs)} ${row.agent} ${nameOfAnswer(row.session)}`) ?? [];
  const times = group.map(({ summary }) => summary.fromNs).toSorted((a, b) => Number(a - b));
  expect([startNs, nsOfTime(row.endTime), row.interface]).toEqual([times[0], times.at(-1)! + 10n * S, "eth0"]);
  expect(row.session?.stateful).toBe(group.some(({ stateful }) => stateful));
  expectCounts(row.packets!, group);
  return group;
}

function expectCounts(packets: PacketCounts, group: Group): void {
  const sum = (count: (summary: DelaySummary) => bigint | undefined) =>
    group.reduce((total, { summary }) => total + (count(summary) ?? 0n), 0n);
  const sent = sum(({ sentPackets }) => sentPackets);
  const lost = sum(({ lostPackets }) => lostPackets);
  const stateful = group.every((fact) => fact.stateful);
  expect(packets).toMatchObject({
    sent,
    lost,
    lossRatio: Number(lost) / Number(sent),
    received: sum(({ receivedPackets }) => receivedPackets),
    duplicate: sum(({ duplicatePackets }) => duplicatePackets),
    reordered: sum(({ reorderedPackets }) => reorderedPackets),
    late: sum(({ latePackets }) => latePackets),
  });
  expect([packets.lostForward, packets.lostBackward]).toEqual(
    stateful
      ? [sum(({ lostForwardPackets }) => lostForwardPackets), sum(({ lostBackwardPackets }) => lostBackwardPackets)]
      : [undefined, undefined],
  );
  const waits = group.map(({ summary }) => Number(summary.waitNs));
  expect(nsOfDuration(packets.wait)).toBe(BigInt(Math.max(...waits)));
}

/** The latest one that is known. */
function latest(group: Group, value: (summary: DelaySummary) => bigint | undefined): bigint | undefined {
  return group
    .toSorted((a, b) => Number(a.summary.toNs - b.summary.toNs))
    .flatMap(({ summary }) => value(summary) ?? [])
    .at(-1);
}

/** The mean over those that are known, weighted by their packets. */
function expectMean(
  answer: bigint | undefined,
  group: Group,
  value: (summary: DelaySummary) => bigint | undefined,
  weight: (fact: SummaryFact) => number,
): void {
  const known = group.filter((fact) => value(fact.summary) !== undefined && weight(fact) > 0);
  if (known.length === 0) {
    expect(answer).toBeUndefined();
    return;
  }
  const weights = known.reduce((total, fact) => total + weight(fact), 0);
  const mean = known.reduce((total, fact) => total + (Number(value(fact.summary)) * weight(fact)) / weights, 0);
  expect(Math.abs(Number(answer) - mean)).toBeLessThanOrEqual(0.51);
}

function expectDelays(rows: readonly Delay[], facts: Group, stepNs?: bigint): void {
  const groups = groupsOf(facts, stepNs);
  expect(rows).toHaveLength(groups.size);
  for (const row of rows) {
    const group = groupOf(row, groups, stepNs);
    expectStatistics(
      row.forward?.delay,
      group.flatMap(({ forward }) => forward),
    );
    expectStatistics(
      row.backward?.delay,
      group.flatMap(({ backward }) => backward),
    );
    expect(nsOfDuration(row.forward?.jitter)).toBe(latest(group, ({ forwardJitterNs }) => forwardJitterNs));
    expect(row.backward?.jitter).toBeUndefined();
    expectMean(
      nsOfDuration(row.backward?.ipdv),
      group,
      ({ backwardIpdvNs }) => backwardIpdvNs,
      (fact) => fact.backward.length,
    );
    expect(row.trustworthy).toBe(group.every(({ summary }) => summary.synchronised));
    const errors = group.map(({ summary }) => summary.errorNs);
    const known = errors.every((error) => error !== undefined);
    expect(nsOfDuration(row.error)).toBe(known ? BigInt(Math.max(...errors.map(Number))) : undefined);
  }
}

test("one-way delays are merged over the whole time, and in windows", async () => {
  expectDelays(await delays({}), summaries);
  expectDelays(await delays({ pageSize: 3 }), summaries);
  expectDelays(await delays({ step: { seconds: 30n, nanos: 0 }, pageSize: 7 }), summaries, 30n * S);
  const each = await delays({ step: { seconds: 0n, nanos: 1 }, pageSize: 1000 });
  expectDelays(each, summaries, 1n);
  expect(each.some(({ forward }) => (nsOfDuration(forward?.delay?.min) ?? 0n) < 0n)).toBe(true);
  expect(new Set(each.map(({ trustworthy }) => trustworthy)).size).toBe(2);
});

test("round trips likewise, with the time that the reflector took", async () => {
  for (const stepNs of [undefined, 20n * S]) {
    const step = stepNs === undefined ? {} : { step: { seconds: stepNs / S, nanos: 0 } };
    const groups = groupsOf(summaries, stepNs);
    const rows = await roundTrips({ ...step, pageSize: 5 });
    expect(rows).toHaveLength(groups.size);
    for (const row of rows) {
      const group = groupOf(row, groups, stepNs);
      expectStatistics(
        row.roundTrip,
        group.flatMap(({ roundTrip }) => roundTrip),
      );
      expectStatistics(
        row.residence,
        group.flatMap(({ residence }) => residence),
      );
      expect(nsOfDuration(row.jitter)).toBe(latest(group, ({ roundTripJitterNs }) => roundTripJitterNs));
      expectMean(
        nsOfDuration(row.ipdv),
        group,
        ({ roundTripIpdvNs }) => roundTripIpdvNs,
        (fact) => fact.roundTrip.length,
      );
    }
  }
});

const cases: [Request, (fact: SummaryFact) => boolean][] = [
  [{ agent: "right" }, ({ agent }) => agent === "right"],
  [{ interface: "eth7" }, () => false],
  [{ address: "10.0.0.2" }, ({ session }) => SESSIONS.indexOf(session) < 2],
  [{ senderAddress: "2001:db8::/32" }, ({ session }) => SESSIONS.indexOf(session) > 1],
  [{ reflectorAddress: "10.0.0.1" }, () => false],
  [{ port: 40_001 }, ({ session }) => session.senderPort === 40_001],
  [{ port: 862, ssid: 3 }, ({ session }) => session.ssid === 3],
  [
    { startTime: timeOf(BEGIN + 20n * S), endTime: timeOf(BEGIN + 50n * S) },
    ({ summary: { fromNs } }) => fromNs >= BEGIN + 20n * S && fromNs < BEGIN + 50n * S,
  ],
];
test.each(cases)("filtered: %#", async (request, holds) => {
  expectDelays(await delays(request), summaries.filter(holds));
  expect(await roundTrips(request)).toHaveLength(groupsOf(summaries.filter(holds), undefined).size);
});

describe("samples", () => {
  async function texts(request: Parameters<ReturnType<typeof client>["listDelaySamples"]>[0]): Promise<string[]> {
    const found: string[] = [];
    let pageToken = "";
    do {
      const page = await client().listDelaySamples({ ...request, pageToken });
      for (const { agent, session, sequence, time, forward, backward, roundTrip } of page.samples) {
        const times = [nsOfTime(time), nsOfDuration(forward), nsOfDuration(backward), nsOfDuration(roundTrip)];
        found.push(`${agent} ${nameOfAnswer(session)} ${sequence} ${times.join(" ")}`);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return found;
  }

  test.each([9, 10_000])("are all there, once, in pages of %d", async (pageSize) => {
    expect((await texts({ pageSize })).toSorted()).toEqual(samples.map(({ text }) => text).toSorted());
  });

  test("filtered by session and their own time", async () => {
    const request = { ssid: 2, startTime: timeOf(BEGIN + 100n * S), endTime: timeOf(BEGIN + 900n * S), pageSize: 5 };
    const expected = samples.filter(
      ({ session, atNs }) => session.ssid === 2 && atNs >= BEGIN + 100n * S && atNs < BEGIN + 900n * S,
    );
    expect(expected.length).toBeGreaterThan(3);
    expect((await texts(request)).toSorted()).toEqual(expected.map(({ text }) => text).toSorted());
  });
});
