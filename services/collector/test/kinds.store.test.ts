import { toBinary } from "@bufbuild/protobuf";
import { type Direction, type Report, ReportSchema } from "@waymark/proto/report";
import { connect } from "nats";
import { killChildren, startNats } from "./children.ts";
import { SECOND_NS as S } from "./distributions.ts";
import { Pusher, queryClient, startTestCollector, type TestCollector } from "./harness.ts";
import { key, nowNs, type PayloadInit, type Reporter, record, reportFrom } from "./kind-reports.ts";
import { freePort, temporaryDirectory, until } from "./temporary.ts";

const directory = temporaryDirectory();
const BEGIN = nowNs() - 60n * S;
let collector: TestCollector;
let pusher: Pusher;
let metricsPort: number;

beforeAll(async () => {
  metricsPort = await freePort();
  collector = await startTestCollector(directory.path, { metrics: { host: "127.0.0.1", port: metricsPort } });
  pusher = new Pusher(collector.grpcPort);
});

afterAll(async () => {
  pusher.close();
  await collector.close();
  await killChildren();
  directory.remove();
});

const client = () => queryClient(collector.apiPort);
let boots = 0;

function reporter(service: string, role: string, more: Partial<Reporter> = {}): Reporter {
  boots++;
  return { id: service, service, role, interface: "eth0", boot: `boot-${boots}`, ...more };
}

const flow = key();
const address = flow.sourceAddress;
const session = { senderAddress: address, reflectorAddress: address, senderPort: 1, reflectorPort: 862 };
const histogram = { precisionBits: 7, buckets: [5, 9], counts: [1n, 2n] };
const distribution = { count: 3n, minNs: 5n, maxNs: 9n, sumNs: 20n, histogram };
const summary = { subject: { case: "flow" as const, value: 0 }, fromNs: BEGIN, toNs: BEGIN + S, rtt: distribution };
const columns = { flow: [0], atNs: [BEGIN], rttNs: [1n], method: [1], local: [false] };
const delaySummary = { session: 0, fromNs: BEGIN, toNs: BEGIN + S, sentPackets: 9n, forward: distribution };
const delayColumns = {
  session: [0],
  sequence: [1],
  atNs: [BEGIN],
  forwardNs: [1n],
  backwardNs: [1n],
  roundTripNs: [2n],
};
const throughput = { flow, fromNs: BEGIN, toNs: BEGIN + S, payloadBytes: 10n, goodputBytes: 9n, gaps: 3n };
const short = new Uint8Array(4);

const GOOD: Record<string, PayloadInit> = {
  flows: { case: "flows", value: { records: [record(flow, BEGIN)] } },
  rtt: { case: "rtt", value: { flows: [flow], samples: columns, summaries: [summary] } },
  delay: { case: "delay", value: { sessions: [session], summaries: [delaySummary], samples: delayColumns } },
  throughput: { case: "throughput", value: { records: [throughput] } },
};
const SERVICES: Record<string, [service: string, role: string]> = {
  flows: ["tcflows", "observer"],
  rtt: ["pping", "observer"],
  delay: ["stamp", "sender"],
  throughput: ["flowmon", "observer"],
};

function flows(...records: Parameters<typeof record>[2][]): PayloadInit {
  return { case: "flows", value: { records: records.map((more) => record(flow, BEGIN, more)) } };
}

function rtt(more: object): PayloadInit {
  return { case: "rtt", value: { flows: [flow], ...more } };
}

const summaryWith = (more: object) => rtt({ summaries: [{ ...summary, ...more }] });
const samplesWith = (more: object) => rtt({ samples: { ...columns, ...more } });
const distributionWith = (more: object) => summaryWith({ rtt: { ...distribution, ...more } });
const histogramWith = (more: object) => distributionWith({ histogram: { ...histogram, ...more } });
const delayWith = (more: object): PayloadInit => ({
  case: "delay",
  value: { sessions: [session], summaries: [{ ...delaySummary, ...more }] },
});
const sessionWith = (more: object): PayloadInit => ({ case: "delay", value: { sessions: [{ ...session, ...more }] } });
const delaySamplesWith = (more: object): PayloadInit => ({
  case: "delay",
  value: { sessions: [session], samples: { ...delayColumns, ...more } },
});
const throughputWith = (more: object): PayloadInit => ({
  case: "throughput",
  value: { records: [{ ...throughput, ...more }] },
});
const keyed = (more: object) => flows({ flow: key(more) });
const without = { sourceAddress: new Uint8Array(), destinationAddress: new Uint8Array() };

const CASES: [name: string, payload: PayloadInit, why: RegExp][] = [
  [
    "a record without a flow",
    { case: "flows", value: { records: [{ firstNs: BEGIN, lastNs: BEGIN }] } },
    /without a flow/,
  ],
  ["an address of 4 octets", keyed({ sourceAddress: short }), /source_address of 4/],
  ["one address", keyed({ sourceAddress: new Uint8Array() }), /one address/],
  ["no address and no reason", keyed(without), /without addresses/],
  ["a protocol of 256", keyed({ protocol: 256 }), /protocol/],
  ["a port of 65536", keyed({ sourcePort: 65_536 }), /port/],
  ["a VLAN of 4096", keyed({ vlanId: 4096 }), /vlan_id/],
  ["a control character in an interface", keyed({ interface: "\u001b[2J" }), /interface/],
  ["a direction of 3", keyed({ direction: 3 as Direction }), /direction/],
  ["more packets than any link carries", flows({ packets: 2n ** 60n }), /any link/],
  ["bytes without packets", flows({ packets: 0n }), /without packets/],
  ["a record that ends before it begins", flows({ lastNs: BEGIN - 1n }), /last_ns/],
  ["a record of 1970", flows({ firstNs: 5n }), /first_ns/],
  ["a flow that begins the day after tomorrow", flows({ flowStartNs: nowNs() + 200_000n * S }), /ahead/],
  ["16 TCP flags", flows({ tcpFlags: 0xffff }), /tcp_flags/],
  ["a DSCP of 64", flows({ dscp: 64 }), /dscp/],
  ["a MAC of 4 octets", flows({ sourceMac: short }), /MAC/],
  ["samples of unequal columns", samplesWith({ rttNs: [] }), /equally long/],
  ["confidence of another length", samplesWith({ confidencePermille: [1, 2] }), /confidence/],
  ["a confidence of more than all", samplesWith({ confidencePermille: [1001] }), /1001/],
  ["a sample of no flow", samplesWith({ flow: [1] }), /sample of flow 1/],
  ["a sample of 1970", samplesWith({ atNs: [5n] }), /at_ns/],
  ["a round trip of centuries", samplesWith({ rttNs: [2n ** 63n] }), /rtt_ns/],
  ["a summary of nothing", summaryWith({ subject: { case: undefined } }), /neither a flow nor a prefix/],
  ["a summary of no flow", summaryWith({ subject: { case: "flow", value: 4 } }), /flow 4/],
  ["a prefix that is none", summaryWith({ subject: { case: "prefix", value: "10.0.0.1/8" } }), /CIDR/],
  ["a summary that ends before it begins", summaryWith({ toNs: BEGIN - 1n }), /to_ns/],
  ["a negative round trip", distributionWith({ minNs: -1n, sumNs: 10n, histogram: undefined }), /less than no time/],
  ["an event of no flow", rtt({ events: [{ flow: 2, atNs: BEGIN }] }), /event of flow 2/],
  ["an event with a control character", rtt({ events: [{ atNs: BEGIN, reason: "\n" }] }), /reason/],
  ["a mean beyond the extremes", distributionWith({ sumNs: 28n }), /mean/],
  ["a minimum above the maximum", distributionWith({ minNs: 10n }), /min_ns/],
  ["a histogram of other counts", histogramWith({ counts: [1n, 1n] }), /counts 2 of 3/],
  ["a histogram without counts", histogramWith({ counts: [] }), /as many counts/],
  ["counts without buckets", histogramWith({ buckets: [] }), /counts without buckets/],
  ["buckets in disorder", histogramWith({ buckets: [9, 5] }), /ascending/],
  ["buckets of other values", histogramWith({ buckets: [4, 9] }), /outermost/],
  ["a bucket beyond all values", histogramWith({ buckets: [5, 2 ** 30] }), /beyond 64 bits/],
  ["no precision", histogramWith({ precisionBits: 0 }), /precision_bits 0/],
  ["a session with an address of 4 octets", sessionWith({ reflectorAddress: short }), /16 octets/],
  ["a session with an ssid of 65536", sessionWith({ ssid: 65_536 }), /ssid/],
  ["a summary of no session", delayWith({ session: 3 }), /session 3/],
  ["more lost than sent", delayWith({ lostPackets: 10n }), /10 of 9/],
  [
    "a delay distribution that cannot be",
    delayWith({ residence: { ...distribution, sumNs: 0n } }),
    /residence: the mean/,
  ],
  ["delay samples of unequal columns", delaySamplesWith({ sequence: [] }), /equally long/],
  ["a delay sample of no session", delaySamplesWith({ session: [9] }), /session 9/],
  ["a delay of centuries", delaySamplesWith({ forwardNs: [-(2n ** 63n)] }), /impossible/],
  ["an interval of nothing", throughputWith({ toNs: BEGIN }), /interval/],
  ["an interval of two days", throughputWith({ fromNs: BEGIN - 200_000n * S }), /interval/],
  ["more goodput than payload", throughputWith({ goodputBytes: 11n }), /goodput/],
  ["more gaps in super-packets than gaps", throughputWith({ gapsInSuperPackets: 4n }), /super_packets/],
  ["a mean gap that is no number", throughputWith({ gapMeanNs: Number.NaN }), /no number/],
  ["a negative deviation", throughputWith({ gapStddevNs: -1 }), /negative/],
  ["a jitter of days", throughputWith({ rtpJitterNs: 2n ** 60n }), /rtp_jitter/],
  ["sequence counts beyond any link", throughputWith({ sequence: { lost: 2n ** 61n } }), /sequence/],
];

describe("refused with a reason, and the stream goes on:", () => {
  test.each(CASES)("%s", async (_, payload, why) => {
    const [service, role] = SERVICES[payload.case ?? ""]!;
    const from = reporter(service, role, { id: "refused" });
    const good = reportFrom({ ...from, id: "accepted" }, 1n, GOOD[payload.case ?? ""]!);
    const answers = await pusher.push(reportFrom(from, 1n, payload), good);
    expect(answers[0]?.refused).toMatch(why);
    expect(answers[1]?.refused).toBe("");
  });

  test.each(Object.entries(SERVICES))("%s from a role that does not measure it", async (kind, [service]) => {
    const [answer] = await pusher.push(reportFrom(reporter(service, "source", { id: "refused" }), 1n, GOOD[kind]!));
    expect(answer?.refused).toMatch(/role is not /);
  });

  test("and nothing of all that is stored", async () => {
    expect((await client().listAgents({ agent: "refused" })).agents).toEqual([]);
    expect((await client().listFlows({ agent: "refused" })).flows).toEqual([]);
  });
});

test("agents of every kind are listed, with what is lost of each kind, and told to be duplicates", async () => {
  for (const [kind, [service, role]] of Object.entries(SERVICES)) {
    const from = reporter(service, role, { id: "listed" });
    const twin = reporter(service, role, { id: "listed" });
    const numbers = [2n, 3n, 6n];
    await pusher.push(...numbers.map((sequence) => reportFrom(from, sequence, GOOD[kind]!)));
    const request = { agent: "listed" };
    const find = async () => (await client().listAgents(request)).agents.find((agent) => agent.service === service);
    expect(await find()).toMatchObject({
      ...{ role, interface: "eth0", bootId: from.boot, lostReports: 3n, counters: { seen: 6n } },
      flags: ["reports lost"],
    });
    // Measures at the same time.
    await pusher.push(reportFrom(twin, 1n, GOOD[kind]!));
    expect((await find())?.flags).toContain("duplicate agent");
  }
});

test("a report that tells nothing is stored once, too, so that its number is not missing", async () => {
  for (const [kind, [service, role]] of Object.entries(SERVICES)) {
    const from = reporter(service, role, { id: "silent" });
    const empty = reportFrom(from, 1n, { case: kind, value: {} } as PayloadInit);
    const answers = await pusher.push(empty, reportFrom(from, 2n, GOOD[kind]!), empty);
    expect(answers.map(({ refused }) => refused)).toEqual(["", "", ""]);
  }
  const { agents } = await client().listAgents({ agent: "silent" });
  expect(agents.map(({ lostReports }) => lostReports)).toEqual([0n, 0n, 0n, 0n]);
  expect((await client().listFlows({ agent: "silent" })).flows).toHaveLength(1);
  expect((await client().listRttSamples({ agent: "silent" })).samples).toHaveLength(1);
  expect((await client().listDelay({ agent: "silent" })).delays).toHaveLength(1);
  expect((await client().listThroughput({ agent: "silent" })).throughputs).toHaveLength(1);
});

test("reports of several kinds that come in turns are still stored many at a time", async () => {
  const inserts = async () => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return Number(/^waymark_collector_inserts_total (\d+)$/m.exec(text)?.[1]);
  };
  const before = await inserts();
  const from = Object.entries(SERVICES).map(([kind, [service, role]]) => ({
    kind,
    reporter: reporter(service, role, { id: "in-turns" }),
  }));
  const reports = Array.from({ length: 100 }, (_, i) =>
    from.map(({ kind, reporter: who }) => reportFrom(who, BigInt(i + 1), GOOD[kind]!)),
  ).flat();
  const answers = await pusher.push(...reports);
  expect(answers.filter(({ refused }) => refused !== "")).toEqual([]);
  // One at a time would be 400.
  expect((await inserts()) - before).toBeLessThan(100);
  expect((await client().listAgents({ agent: "in-turns" })).agents.map(({ lostReports }) => lostReports)).toEqual(
    Array(4).fill(0n),
  );
});

test("metrics count reports and rows by kind, and refusals by reason", async () => {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  for (const kind of Object.keys(SERVICES)) {
    expect(text).toMatch(new RegExp(`^waymark_collector_kind_reports_stored_total\\{kind="${kind}"\\} [1-9]`, "m"));
    expect(text).toMatch(new RegExp(`^waymark_collector_kind_rows_stored_total\\{kind="${kind}"\\} [1-9]`, "m"));
  }
  for (const reason of ["flow", "rtt", "delay", "throughput", "distribution", "identity"]) {
    expect(text).toMatch(new RegExp(`^waymark_collector_reports_refused_total\\{reason="${reason}"\\} [1-9]`, "m"));
  }
});

test("after a restart every kind knows what it has: gaps, what came out of order, what told nothing", async () => {
  const sent = Object.entries(SERVICES).flatMap(([kind, [service, role]]) => {
    const from = reporter(service, role, { id: "again" });
    return [5n, 1n, 2n, 9n].map((sequence) =>
      reportFrom(from, sequence, sequence === 2n ? ({ case: kind, value: {} } as PayloadInit) : GOOD[kind]!),
    );
  });
  await pusher.push(...sent);
  pusher.close();
  await collector.close();
  collector = await startTestCollector(directory.path, { metrics: { host: "127.0.0.1", port: metricsPort } });
  pusher = new Pusher(collector.grpcPort);
  const answers = await pusher.push(...sent.toReversed());
  expect(answers.filter(({ refused }) => refused !== "")).toEqual([]);
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(text).toMatch(/^waymark_collector_reports_duplicate_total 16$/m);
  expect(text).toMatch(/^waymark_collector_reports_stored_total 0$/m);
  expect((await client().listAgents({ agent: "again" })).agents.map(({ lostReports }) => lostReports)).toEqual(
    Array(4).fill(5n),
  );
  expect((await client().listFlows({ agent: "again" })).flows).toHaveLength(3);
  expect((await client().listRtt({ agent: "again" })).rtts).toMatchObject([{ rtt: { count: 9n } }]);
  expect((await client().listDelay({ agent: "again" })).delays).toMatchObject([{ packets: { sent: 27n } }]);
  expect((await client().listThroughput({ agent: "again" })).throughputs).toHaveLength(3);
});

test("every kind has its stream, from which it is taken once", async () => {
  const port = await freePort();
  const url = `nats://127.0.0.1:${port}`;
  await startNats(`${directory.path}/nats`, port);
  pusher.close();
  await collector.close();
  collector = await startTestCollector(directory.path, { nats: [url] });
  pusher = new Pusher(collector.grpcPort);
  const connection = await connect({ servers: url });
  const stream = connection.jetstream();
  const publish = (kind: string, service: string, report: Report, copy: number) =>
    stream
      .publish(`waymark.v1.${kind}.${report.agent?.id}.${service}`, toBinary(ReportSchema, report), {
        msgID: `${kind}${copy}`,
      })
      .catch(() => undefined);
  for (const [kind, [service, role]] of Object.entries(SERVICES)) {
    const report = reportFrom(reporter(service, role, { id: "bus" }), 1n, GOOD[kind]!);
    await until(`the stream of ${kind}`, () => publish(kind, service, report, 1));
    expect(await publish(kind, service, report, 2)).toBeDefined();
  }
  await until("all four", async () =>
    (await client().listAgents({ agent: "bus" })).agents.length === 4 ? true : undefined,
  );
  const manager = await connection.jetstreamManager();
  for (const kind of Object.keys(SERVICES)) {
    const name = `WAYMARK_${kind.toUpperCase()}`;
    await until(`${name} to be drained`, async () => {
      const { num_pending: pending, num_ack_pending: unanswered } = await manager.consumers.info(name, "collector");
      return pending === 0 && unanswered === 0 ? true : undefined;
    });
  }
  await connection.close();
  expect((await client().listFlows({ agent: "bus" })).flows).toHaveLength(1);
  expect((await client().listRtt({ agent: "bus" })).rtts).toMatchObject([{ rtt: { count: 3n } }]);
  expect((await client().listRoundTrips({ agent: "bus" })).roundTrips).toMatchObject([{ packets: { sent: 9n } }]);
  expect((await client().listThroughput({ agent: "bus" })).throughputs).toHaveLength(1);
}, 60_000);
