import { mapIpv4 } from "@waymark/packet";
import { NO_CONFIG_FILE } from "./config-file.ts";
import { NO_FIGURES } from "./flow-figures.ts";
import type { FlowId } from "./flow-id.ts";
import { gaugeMetrics } from "./gauges.ts";
import { type Interval, IntervalSum } from "./interval.ts";
import { jsonLines } from "./json-lines.ts";
import { Printer } from "./printer.ts";
import { IntervalPublisher, throughputPayloads } from "./publish.ts";
import type { FlowReading } from "./reading.ts";
import { NO_SEQUENCE } from "./sequence-figures.ts";
import { SequenceHistory } from "./sequence-history.ts";

const FROM_NS = 1_800_000_000_000_000_000n;
const TO_NS = FROM_NS + 2_000_000_000n;

function id(port: number, protocol = 17): FlowId {
  return {
    interface: "eth0",
    direction: "ingress",
    source: mapIpv4([10, 0, 0, 1]),
    destination: mapIpv4([10, 0, 0, 2]),
    protocol,
    sourcePort: port,
    destinationPort: 53,
    icmp: undefined,
    vlan: 0,
  };
}

const gaps = { gaps: 4n, sumNs: 4_000_000n, squaresNs2: 10_000_000_000_000n, superGaps: 1n };
const sequence = {
  ...NO_SEQUENCE,
  current: 90n,
  received: 80n,
  reverse: 1n,
  small: 2n,
  big: 3n,
  lost: 9n,
  recovered: 2n,
};

function flow(port: number, bytes: bigint, protocol = 17): FlowReading {
  const figures = {
    ...NO_FIGURES,
    packets: 5n,
    l3Bytes: bytes,
    payloadBytes: bytes - 140n,
    goodputBytes: bytes - 140n,
    gaps,
    sequence,
  };
  return { key: `${protocol} ${port}`, id: id(port, protocol), figures };
}

function interval(flows: readonly FlowReading[] = [flow(1, 24_691_200n), flow(2, 1000n), flow(3, 2000n, 6)]): Interval {
  const sum = new IntervalSum();
  const overflow = {
    interface: "eth0",
    direction: "ingress",
    protocol: "TCP",
    packets: 2n,
    l3Bytes: 3000n,
    payloadBytes: 2900n,
  } as const;
  sum.add({ flows, overflow: [overflow] });
  return sum.take(FROM_NS, TO_NS);
}

function printed(options: Partial<ConstructorParameters<typeof Printer>[0]>, display = NO_CONFIG_FILE.display): string {
  let text = "";
  const history = new SequenceHistory(60_000_000_000n, 10);
  const preset = {
    format: "text",
    bits: false,
    loss: true,
    top: 2,
    ownJitter: false,
    testThroughput: false,
    testJitter: false,
    live: false,
  } as const;
  const printer = new Printer({ ...preset, ...options }, display, history, (more) => {
    text += more;
  });
  history.add(interval());
  printer.interval(interval());
  return text;
}

describe("lines of an interval", () => {
  test("the original's by protocol, then the busiest flows", () => {
    expect(printed({}).split("\n")).toEqual([
      "TCP bitrate [KBytes/sec]:  2.5000",
      "TCP goodput [KBytes/sec]:  2.3800",
      "UDP bitrate [MBytes/sec]:  12.3461",
      "UDP goodput [MBytes/sec]:  12.3460",
      "ICMP bitrate [Bytes/sec]:  0.0000",
      "ICMP goodput [Bytes/sec]:  0.0000",
      "Jitter[STDDEV] TCP: 1.4142 ms",
      "Average TCP: 1.0000 ms",
      "Jitter[STDDEV] UDP: 1.3093 ms",
      "Average UDP: 1.0000 ms",
      "Jitter[STDDEV] ICMP: - ms",
      "Average ICMP: - ms",
      "TCP seq_num: 90 count: 80 reverse_err: 1 small_err: 2 big_err: 3 total_sequence_errors: 6",
      "UDP seq_num: 90 count: 160 reverse_err: 2 small_err: 4 big_err: 6 total_sequence_errors: 12",
      "ICMP seq_num: 0 count: 0 reverse_err: 0 small_err: 0 big_err: 0 total_sequence_errors: 0",
      expect.stringMatching(
        /^FLOW +THROUGHPUT \(IP\) +GOODPUT \(PAYLOAD\) +GAP MEAN ms +GAP STDDEV ms +IN SUPER-PACKETS .*LOST +EPISODES$/,
      ),
      expect.stringMatching(
        /^udp 10\.0\.0\.1:1 > 10\.0\.0\.2:53 \(eth0 ingress\) +12\.3456 MBytes\/sec .* 25\.0% .* 7 +0$/,
      ),
      expect.stringMatching(/^tcp 10\.0\.0\.1:3 > /),
      expect.stringMatching(/^TCP flows beyond the table \(eth0 ingress\) +1\.5000 KBytes\/sec$/),
      "… and 1 more flows (--top)",
      "",
    ]);
  });

  test("-packet_loss hides neither goodput nor jitter, and DISPLAY hides what it says", () => {
    const hidden = { throughput: false, goodput: true, jitter: true, sequenceErrors: false };
    const text = printed({ top: 0 }, hidden);
    expect(text).toMatch(/goodput/);
    expect(text).toMatch(/Jitter\[STDDEV\] UDP/);
    expect(text).not.toMatch(/bitrate|seq_num|FLOW/);
  });

  test("bits", () => {
    expect(printed({ bits: true })).toMatch(/UDP bitrate \[Mbits\/sec\]: {2}98\.7688/);
  });

  test("-test_throughput and -test_jitter print their lines alone", () => {
    expect(printed({ testThroughput: true })).not.toMatch(/Jitter|FLOW|seq_num/);
    expect(printed({ testJitter: true })).toMatch(
      /^Jitter\[STDDEV\] TCP: 1\.4142 ms\nAverage TCP: 1\.0000 ms\nJitter[^F]*$/,
    );
  });

  test("on a terminal the page is drawn anew", () => {
    expect(printed({ live: true }).startsWith("\u001b[H\u001b[2JTCP bitrate")).toBe(true);
    expect(printed({})).not.toContain("\u001b");
  });
});

test("a JSON object a flow, and one of what found no room", () => {
  const objects = jsonLines(interval()).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(objects).toHaveLength(4);
  expect(objects[0]).toMatchObject({
    from: "2027-01-15T08:00:00.000Z",
    interface: "eth0",
    direction: "ingress",
    flow: "udp 10.0.0.1:1 > 10.0.0.2:53",
    packets: 5,
    l3_bytes: 24_691_200,
    throughput_l3_bytes_per_second: 12_345_600,
    gap_mean_ns: 1_000_000,
    gaps_in_super_packets_ratio: 0.25,
    sequence: { current: 90, lost: 7, skipped: 9, recovered: 2 },
  });
  expect(objects[3]).toMatchObject({ overflow: "TCP", packets: 2, l3_bytes: 3000 });
});

describe("reports", () => {
  test("every flow and every overflow, in batches below 64 KiB", () => {
    const flows = Array.from({ length: 1000 }, (_, i) => flow(i + 1, 1000n));
    const payloads = throughputPayloads(interval(flows));
    const records = payloads.flatMap((payload) => (payload.case === "throughput" ? (payload.value.records ?? []) : []));
    expect(payloads.length).toBeGreaterThan(1);
    expect(records).toHaveLength(1001);
    expect(records[0]).toMatchObject({
      fromNs: FROM_NS,
      toNs: TO_NS,
      gaps: 4n,
      gapMeanNs: 1_000_000,
      sequence: { lost: 9n, recovered: 2n, reverseErrors: 1n },
    });
    expect(records.at(-1)).toMatchObject({ flow: { overflow: true, protocol: 6 }, packets: 2n });
  });

  test("where nothing passed, an empty one every five seconds says that the agent lives", () => {
    const published: number[] = [];
    const publisher = new IntervalPublisher({
      publish: (payload) =>
        void published.push(payload.case === "throughput" ? (payload.value.records ?? []).length : -1),
    });
    const S = 1_000_000_000n;
    const at = (second: bigint) => new IntervalSum().take(FROM_NS + second * S, FROM_NS + (second + 1n) * S);
    for (const second of [0n, 1n, 4n, 5n, 6n]) publisher.publish(at(second));
    expect(published).toEqual([0, 0]);
    publisher.publish(interval());
    expect(published).toEqual([0, 0, 4]);
  });
});

describe("what numbers have said since the start", () => {
  test("is kept of so many flows, the ones that were busy last; protocols keep all", () => {
    const history = new SequenceHistory(60_000_000_000n, 2);
    for (const ports of [[1], [2], [1], [3]]) history.add(interval(ports.map((port) => flow(port, 1000n))));
    expect([1, 2, 3].map((port) => history.flow(`17 ${port}`)?.received)).toEqual([160n, undefined, 80n]);
    expect(history.total("UDP").received).toBe(320n);
  });

  test("is forgotten of a flow that has been idle for long", () => {
    const history = new SequenceHistory(1_000_000_000n, 10);
    history.add(interval([flow(1, 1000n)]));
    history.add({ ...interval([flow(2, 1000n)]), toNs: TO_NS + 1_000_000_001n });
    expect([1, 2].map((port) => history.flow(`17 ${port}`)?.received)).toEqual([undefined, 80n]);
  });
});

describe("gauges", () => {
  const history = new SequenceHistory(1n, 10);
  history.add(interval());
  const since = (name: "TCP" | "UDP" | "ICMP") => history.total(name);
  const options = { bits: false, loss: true, maxFlows: 2, since };

  test("the original's names, for every protocol", () => {
    const values = new Map(gaugeMetrics(interval(), options).map(({ name, samples }) => [name, samples[0]?.value]));
    const names = [
      "throughput",
      "goodput",
      "jitter_avg",
      "jitter_stddev",
      "seq_num",
      "count",
      "reverse_err",
      "small_err",
      "big_err",
      "total_err",
    ];
    for (const protocol of ["tcp", "udp"])
      for (const name of names) expect(values.has(`${protocol}_${name}`)).toBe(true);
    expect(values.get("udp_throughput")).toBe(12_346_100);
    expect(values.get("udp_jitter_avg")).toBeCloseTo(1, 9);
    expect(values.get("udp_total_err")).toBe(12n);
    // nothing is not zero
    expect(values.has("icmp_jitter_avg")).toBe(false);
  });

  test("flows have labels and base units, and their number is bounded", () => {
    const metrics = gaugeMetrics(interval(), options);
    const rates = metrics.find(({ name }) => name === "waymark_flowmon_flow_throughput_bytes_per_second");
    expect(rates?.samples).toHaveLength(2);
    expect(rates?.samples[0]).toEqual({
      labels: { interface: "eth0", direction: "ingress", flow: "udp 10.0.0.1:1 > 10.0.0.2:53" },
      value: 12_345_600,
    });
    const mean = metrics.find(({ name }) => name === "waymark_flowmon_flow_gap_mean_seconds");
    expect(mean?.samples[0]?.value).toBeCloseTo(0.001, 12);
    const hidden = metrics.find(({ name }) => name === "waymark_flowmon_flows_without_labels");
    expect(hidden?.samples).toEqual([{ value: 1 }]);
  });
});
