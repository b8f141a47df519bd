import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { cidrContains, formatAddress, parseCidr } from "@waymark/packet";
import { type FlowRecord as Answer, FlowGrouping, FlowOrder, FlowRecordSchema } from "@waymark/proto/query";
import type { FlowKey, FlowRecord, Report } from "@waymark/proto/report";
import { Pusher, queryClient, startTestCollector, type TestCollector } from "./harness.ts";
import { key, name, nowNs, octets, type Reporter, record, reportFrom, reversed, someFlows } from "./kind-reports.ts";
import { Random } from "./random.ts";
import { temporaryDirectory } from "./temporary.ts";

const directory = temporaryDirectory();
const random = new Random(4);
const S = 1_000_000_000n;
const BEGIN = nowNs() - 3600n * S;
let collector: TestCollector;
let pusher: Pusher;

/** A record and whose it is: what the answers are made of. */
interface Fact {
  readonly from: Reporter;
  readonly record: FlowRecord;
}

const facts: Fact[] = [];
const reports: Report[] = [];

async function start(): Promise<void> {
  collector = await startTestCollector(directory.path);
  pusher = new Pusher(collector.grpcPort);
}

async function stop(): Promise<void> {
  pusher.close();
  await collector.close();
}

function makeReports(): void {
  const flows = someFlows(random);
  const agents = ["left", "right"].flatMap((id) =>
    ["boot-1", "boot-2"].map((boot) => ({
      id,
      service: "tcflows",
      role: "observer",
      interface: "eth0",
      boot: id + boot,
    })),
  );
  for (const from of agents) {
    for (let sequence = 1n; sequence <= 6n; sequence++) {
      const records = Array.from({ length: random.below(30) }, () => someRecord(random.of(flows)));
      for (const each of records) facts.push({ from, record: each });
      reports.push(reportFrom(from, sequence, { case: "flows", value: { records } }));
    }
  }
}

function someRecord(flow: FlowKey): FlowRecord {
  const firstNs = BEGIN + random.big(1_000) * S + random.big(3);
  const packets = random.once(20) ? 0n : random.big(1_000_000);
  return record(flow, firstNs, {
    packets,
    l3Bytes: packets * 100n,
    l2Bytes: packets * random.of([0n, 114n]),
    lastNs: firstNs + random.big(5_000_000_000),
    flowStartNs: firstNs - random.big(100) * S,
    tcpFlags: random.below(256),
    dscp: random.below(64),
    endReason: random.below(6),
    sourceMac: random.once(4) ? new Uint8Array() : Uint8Array.from([2, 0, 0, 0, 0, random.below(3)]),
    duplicate: random.once(10),
    clockStepped: random.once(10),
  });
}

beforeAll(async () => {
  makeReports();
  await start();
  // In any order, each more than once, some again after a restart: nothing of that may show.
  await pusher.push(...random.shuffled([...reports, ...reports.slice(0, 9)]));
  await stop();
  await start();
  await pusher.push(...random.shuffled(reports));
}, 60_000);

afterAll(async () => {
  await stop();
  directory.remove();
});

const client = () => queryClient(collector.apiPort);
const json = (rows: readonly Answer[]) => rows.map((row) => toJson(FlowRecordSchema, row));
const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
const time = (ns: bigint) => ({ seconds: ns / S, nanos: Number(ns % S) });
const wall = (ns: bigint) => {
  const fraction = String(ns % S).padStart(9, "0");
  const digits = fraction.endsWith("000000000") ? "" : `.${fraction.replace(/(000){1,2}$/, "")}`;
  return new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().replace(".000Z", `${digits}Z`);
};
const span = (ns: bigint) => {
  const fraction = String(ns % S).padStart(9, "0");
  return `${ns / S}${ns % S === 0n ? "" : `.${fraction.replace(/(000){1,2}$/, "")}`}s`;
};

const PROTOCOLS: Record<number, string> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6" };
const REASONS = ["", "IDLE_TIMEOUT", "ACTIVE_TIMEOUT", "END_OF_FLOW", "FORCED_END", "LACK_OF_RESOURCES"];

/** What the API says of a flow, as JSON, which leaves out what is 0, false or empty. */
function flowJson(flow: FlowKey, from: Reporter) {
  const isIp = flow.etherType === 0;
  const text = (address: Uint8Array) => (address.length === 0 ? "" : formatAddress(address));
  const isIcmp = isIp && (flow.protocol === 1 || flow.protocol === 58);
  return {
    ...present("sourceAddress", text(flow.sourceAddress)),
    ...present("destinationAddress", text(flow.destinationAddress)),
    ...present("protocol", flow.protocol),
    ...present("protocolName", isIp ? PROTOCOLS[flow.protocol] : ""),
    ...present("sourcePort", flow.sourcePort),
    ...present("destinationPort", flow.destinationPort),
    ...(isIcmp && { icmpType: flow.icmpType, icmpCode: flow.icmpCode, icmpId: flow.icmpId }),
    ...present("vlanId", flow.vlanId),
    ...present("etherType", flow.etherType),
    ...present("interface", flow.interface || from.interface),
    direction: ["", "DIRECTION_INGRESS", "DIRECTION_EGRESS"][flow.direction],
    ...present("overflow", flow.overflow),
  };
}

function present(field: string, value: unknown): object {
  return value === 0 || value === 0n || value === "" || value === false
    ? {}
    : { [field]: typeof value === "bigint" ? String(value) : value };
}

const mac = (each: Uint8Array) => [...each].map((octet) => octet.toString(16).padStart(2, "0")).join(":");
const sum = (rows: readonly Fact[], count: (row: FlowRecord) => bigint) =>
  rows.reduce((total, fact) => total + count(fact.record), 0n);
const least = (values: readonly bigint[]) => values.reduce((a, b) => (b < a ? b : a));
const most = (values: readonly bigint[]) => values.reduce((a, b) => (b > a ? b : a));

/** What the API says of records put together; the latest speaks for what does not add up. */
function rowJson(rows: readonly Fact[]) {
  const last = rows.reduce((a, b) => (b.record.lastNs > a.record.lastNs ? b : a));
  const flow = last.record.flow!;
  const lastNs = most(rows.map((fact) => fact.record.lastNs));
  const startNs = least(rows.map((fact) => fact.record.flowStartNs));
  return {
    flow: flowJson(flow, last.from),
    agent: last.from.id,
    firstTime: wall(least(rows.map((fact) => fact.record.firstNs))),
    lastTime: wall(lastNs),
    flowStartTime: wall(startNs),
    duration: span(lastNs - startNs),
    ...present(
      "packets",
      sum(rows, ({ packets }) => packets),
    ),
    ...present(
      "l3Bytes",
      sum(rows, ({ l3Bytes }) => l3Bytes),
    ),
    ...present(
      "l2Bytes",
      sum(rows, ({ l2Bytes }) => l2Bytes),
    ),
    ...(flow.protocol === 6 && { tcpFlags: rows.reduce((flags, fact) => flags | fact.record.tcpFlags, 0) }),
    ...present("sourceMac", mac(last.record.sourceMac)),
    ...present("dscp", last.record.dscp),
    ...(last.record.endReason > 0 && { endReason: `FLOW_END_REASON_${REASONS[last.record.endReason]}` }),
    ...present(
      "duplicate",
      rows.some((fact) => fact.record.duplicate),
    ),
    records: String(rows.length),
    ...present(
      "clockStepped",
      rows.some((fact) => fact.record.clockStepped),
    ),
  };
}

function groups(rows: readonly Fact[]): readonly (readonly Fact[])[] {
  const seenOn = ({ from, record: { flow } }: Fact) => flow?.interface || from.interface;
  const found = Map.groupBy(
    rows,
    (fact) => fact.from.id + name(key({ ...fact.record.flow!, interface: seenOn(fact) })),
  );
  return [...found.values()];
}

async function all(request: Parameters<ReturnType<typeof client>["listFlows"]>[0]): Promise<Answer[]> {
  const rows: Answer[] = [];
  let pageToken = "";
  do {
    const page = await client().listFlows({ ...request, pageToken });
    rows.push(...page.flows);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return rows;
}

describe("single records", () => {
  test("are all that was reported, once, oldest first", async () => {
    const { flows } = await client().listFlows({});
    expect(sorted(json(flows))).toEqual(sorted(facts.map((fact) => rowJson([fact]))));
    const times = flows.map(({ firstTime }) => firstTime!.seconds * S + BigInt(firstTime!.nanos));
    expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
  });

  test.each([3, 100])("in pages of %d are the same", async (pageSize) => {
    expect(json(await all({ pageSize }))).toEqual(json((await client().listFlows({})).flows));
  });

  test("the largest first", async () => {
    const flows = await all({ grouping: FlowGrouping.RECORDS, order: FlowOrder.BYTES, pageSize: 33 });
    expect(sorted(json(flows))).toEqual(sorted(facts.map((fact) => rowJson([fact]))));
    const bytes = flows.map(({ l3Bytes }) => l3Bytes);
    expect(bytes).toEqual(bytes.toSorted((a, b) => Number(b - a)));
  });
});

describe("filters", () => {
  const within = (text: string, address: Uint8Array) => {
    const result = parseCidr(text);
    return result.ok && address.length > 0 && cidrContains(result.cidr, address);
  };
  type Request = Parameters<ReturnType<typeof client>["listFlows"]>[0];
  const cases: [Request, (fact: Fact) => boolean][] = [
    [{ agent: "left" }, ({ from }) => from.id === "left"],
    [{ interface: "eth0" }, ({ from, record: { flow } }) => (flow?.interface || from.interface) === "eth0"],
    ...["10.0.0.0/8", "10.1.0.0/16", "10.1.0.3", "10.1.0.4/30", "::/0", "0.0.0.0/0", "2001:db8:1::/48", "::"].map(
      (address): [Request, (fact: Fact) => boolean] => [
        { address },
        ({ record: { flow } }) => within(address, flow!.sourceAddress) || within(address, flow!.destinationAddress),
      ],
    ),
    [{ sourceAddress: "10.1.0.0/16" }, ({ record: { flow } }) => within("10.1.0.0/16", flow!.sourceAddress)],
    [{ destinationAddress: "10.2.0.0/16" }, ({ record: { flow } }) => within("10.2.0.0/16", flow!.destinationAddress)],
    [{ port: 443 }, ({ record: { flow } }) => flow!.sourcePort === 443 || flow!.destinationPort === 443],
    [{ sourcePort: 53 }, ({ record: { flow } }) => flow!.sourcePort === 53],
    [{ destinationPort: 80 }, ({ record: { flow } }) => flow!.destinationPort === 80],
    [{ protocol: "udp" }, ({ record: { flow } }) => flow!.protocol === 17],
    [{ protocol: "1" }, ({ record: { flow } }) => flow!.protocol === 1],
    [{ protocol: "0" }, () => false],
    [
      { startTime: time(BEGIN + 300n * S), endTime: time(BEGIN + 600n * S), protocol: "TCP" },
      ({ record: { flow, firstNs } }) =>
        flow!.protocol === 6 && firstNs >= BEGIN + 300n * S && firstNs < BEGIN + 600n * S,
    ],
  ];
  test.each(cases)("%j", async (request, holds) => {
    const expected = facts.filter(holds);
    expect(sorted(json(await all({ ...request, pageSize: 50 })))).toEqual(
      sorted(expected.map((fact) => rowJson([fact]))),
    );
  });

  test.each<[Request, RegExp]>([
    [{ address: "10.0.0.1/8" }, /did you mean 10\.0\.0\.0\/8/],
    [{ sourceAddress: "example.org" }, /source_address/],
    [{ port: 65_536 }, /port 65536/],
    [{ protocol: "quic" }, /protocol "quic"/],
    [{ protocol: "256" }, /protocol "256"/],
    [{ grouping: 9 as FlowGrouping }, /grouping 9/],
    [{ order: 9 as FlowOrder }, /order 9/],
    [{ startTime: time(2n * S), endTime: time(S) }, /start_time/],
    [{ pageSize: 10_001 }, /page_size/],
    [{ interface: "x".repeat(257) }, /longer/],
    [{ pageToken: "x" }, /page_token/],
  ])("refused: %#", async (request, why) => {
    const error = ConnectError.from(
      await client()
        .listFlows(request)
        .catch((reason: unknown) => reason),
    );
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.message).toMatch(why);
  });
});

describe("sums by flow", () => {
  test("leave out what was counted on another interface, unless asked for", async () => {
    const flows = await all({ grouping: FlowGrouping.FLOWS, pageSize: 9 });
    const own = facts.filter(({ record: { duplicate } }) => !duplicate);
    expect(sorted(json(flows))).toEqual(sorted(groups(own).map(rowJson)));
    const everything = await all({ grouping: FlowGrouping.FLOWS, includeDuplicates: true });
    expect(sorted(json(everything))).toEqual(sorted(groups(facts).map(rowJson)));
    const eth1 = await all({ grouping: FlowGrouping.FLOWS, interface: "eth1" });
    const onEth1 = facts.filter(({ record: { flow } }) => flow!.interface === "eth1");
    expect(sorted(json(eth1))).toEqual(sorted(groups(onEth1).map(rowJson)));
  });

  test.each([
    [FlowOrder.UNSPECIFIED, (row: Answer) => -row.l3Bytes],
    [FlowOrder.PACKETS, (row: Answer) => -row.packets],
    [FlowOrder.TIME, (row: Answer) => row.firstTime!.seconds * S + BigInt(row.firstTime!.nanos)],
  ])("in order %d, and the top three of it", async (order, rank) => {
    const flows = await all({ grouping: FlowGrouping.FLOWS, order });
    expect(flows.map(rank)).toEqual(flows.map(rank).toSorted((a, b) => (a < b ? -1 : 1)));
    const top = await client().listFlows({ grouping: FlowGrouping.FLOWS, order, pageSize: 3 });
    expect(json(top.flows)).toEqual(json(flows.slice(0, 3)));
  });

  test("do not change between the pages of one answer, whatever is stored meanwhile", async () => {
    const request = {
      grouping: FlowGrouping.FLOWS,
      pageSize: 4,
      startTime: time(BEGIN),
      endTime: time(BEGIN + 999n * S),
    };
    const before = json(await all({ ...request, pageSize: 1000 }));
    const first = await client().listFlows(request);
    const from = { id: "left", service: "tcflows", role: "observer", interface: "eth0", boot: "later" };
    const late = record(key({ sourceAddress: octets("10.9.9.9") }), BEGIN + 5n * S, {
      packets: 10n ** 12n,
      l3Bytes: 10n ** 15n,
    });
    await pusher.push(reportFrom(from, 1n, { case: "flows", value: { records: [late] } }));
    facts.push({ from, record: late });
    const rest = [];
    for (let { nextPageToken } = first; nextPageToken !== ""; ) {
      const page = await client().listFlows({ ...request, pageToken: nextPageToken });
      rest.push(...page.flows);
      nextPageToken = page.nextPageToken;
    }
    expect(json([...first.flows, ...rest])).toEqual(before);
    expect(json(await all({ ...request, pageSize: 1 }))[0]).toEqual(rowJson([{ from, record: late }]));
  });
});

describe("both directions as one", () => {
  // The slow way: every group looks for the group of the way back.
  function pairs(): readonly object[] {
    const rest = [...groups(facts.filter(({ record: { duplicate } }) => !duplicate))];
    const found: object[] = [];
    while (rest.length > 0) {
      const group = rest.shift()!;
      const { from, record: first } = group[0]!;
      const back = connection(reversed(first.flow!), from);
      const isPair = (other: readonly Fact[]) => connection(other[0]!.record.flow!, other[0]!.from) === back;
      const place = first.flow!.sourceAddress.length === 0 ? -1 : rest.findIndex(isPair);
      const other = place < 0 ? undefined : rest.splice(place, 1)[0]!;
      found.push(other === undefined ? rowJson(group) : pairJson(group, other));
    }
    return found;
  }

  // Type and code of ICMP differ between the ways.
  function connection(flow: FlowKey, from: Reporter): string {
    return from.id + name(key({ ...flow, interface: flow.interface || from.interface, icmpType: 0, icmpCode: 0 }));
  }

  function pairJson(a: readonly Fact[], b: readonly Fact[]): object {
    const start = (rows: readonly Fact[]) => least(rows.map((fact) => fact.record.flowStartNs));
    const [forward, reverse] = start(b) < start(a) ? [b, a] : [a, b];
    const both = rowJson([...forward, ...reverse]);
    const own = rowJson(forward);
    const lastNs = most([...a, ...b].map((fact) => fact.record.lastNs));
    return {
      ...own,
      firstTime: both.firstTime,
      lastTime: both.lastTime,
      duration: span(lastNs - start(forward)),
      ...("clockStepped" in both && { clockStepped: true }),
      ...("endReason" in both ? { endReason: both.endReason } : { endReason: undefined }),
      records: both.records,
      reversePackets: String(sum(reverse, ({ packets }) => packets)),
      reverseL3Bytes: String(sum(reverse, ({ l3Bytes }) => l3Bytes)),
      ...present(
        "reverseL2Bytes",
        sum(reverse, ({ l2Bytes }) => l2Bytes),
      ),
      ...(reverse[0]!.record.flow!.protocol === 6 && {
        reverseTcpFlags: reverse.reduce((flags, fact) => flags | fact.record.tcpFlags, 0),
      }),
    };
  }

  test("are the sums of the two", async () => {
    const flows = await all({ grouping: FlowGrouping.BIFLOWS, pageSize: 5 });
    const fields = (row: unknown) => Object.fromEntries(Object.entries(row as object).toSorted());
    expect(sorted(json(flows).map(fields))).toEqual(sorted(pairs().map(fields)));
    expect(flows.some(({ reversePackets }) => reversePackets !== undefined)).toBe(true);
    const bytes = flows.map((row) => row.l3Bytes + (row.reverseL3Bytes ?? 0n));
    expect(bytes).toEqual(bytes.toSorted((a, b) => (a > b ? -1 : 1)));
  });
});
