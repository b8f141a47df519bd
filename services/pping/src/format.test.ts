import { execFileSync } from "node:child_process";
import { LogHistogram } from "@waymark/stats";
import { describeWithTools } from "@waymark/testkit";
import { eventFormat } from "./event-format.ts";
import type { FlowEnd } from "./flow-end.ts";
import type { FlowChange, RttSample } from "./news.ts";
import type { PrefixSummary } from "./prefix-summary.ts";

const AT = 1_623_420_838_254_558_500n;
const flow: FlowEnd = {
  flowId: 1,
  direction: 0,
  protocol: 6,
  source: new Uint8Array(16),
  destination: new Uint8Array(16),
  sourcePort: 5201,
  destinationPort: 59_572,
  vlanId: 0,
  protocolText: "TCP",
  sourceText: "10.11.1.1",
  destinationText: "10.11.1.2",
  text: "10.11.1.1:5201+10.11.1.2:59572",
};
const counts = {
  sentPackets: 9393,
  sentL3Bytes: 1,
  sentPayloadBytes: 492_457_296,
  receivedPackets: 5922,
  receivedL3Bytes: 1,
  receivedPayloadBytes: 37,
};
const sample: RttSample = {
  kind: "rtt",
  flow,
  atNs: AT,
  counts,
  rttNs: 5_977_708,
  minRttNs: 5_441_848,
  method: "tcp_timestamp",
  local: false,
  confidencePermille: 1000,
};
const opening: FlowChange = {
  kind: "opening",
  flow,
  atNs: 1_623_420_837_244_545_000n,
  counts,
  reason: "SYN-ACK",
  triggeredBy: "src",
};
const closing: FlowChange = { ...opening, kind: "closing", reason: "flow timeout", triggeredBy: "garbage collection" };
const shortage = { stamps: 3n, flows: 7n, prefixes: 0n, events: 0n };
const enough = { stamps: 0n, flows: 0n, prefixes: 0n, events: 0n };

/** `HH:MM:SS` of the host's time zone. */
function clock(atNs: bigint): string {
  return new Date(Number(atNs / 1_000_000n)).toTimeString().slice(0, 8);
}

describe("standard", () => {
  const now = `${clock(AT)}.254558500`;

  test("a line a sample and a flow event, with the protocol", () => {
    const { news } = eventFormat("standard", false);
    expect(news(sample)).toBe(`${now} 5.97771 ms 5.44185 ms TCP 10.11.1.1:5201+10.11.1.2:59572`);
    const begin = `${clock(opening.atNs)}.244545000 TCP ${flow.text}`;
    expect(news(opening)).toBe(`${begin} opening due to SYN-ACK from src`);
    expect(news(closing)).toBe(`${begin} closing due to flow timeout from garbage collection`);
  });

  test("--seed-format: the lines of the seed document, to the character", () => {
    const { news } = eventFormat("standard", true);
    const of = (text: string) => ({ ...flow, text });
    const at = 1_600_000_000_147_705_205n;
    const [first, second] = [
      { ...sample, flow: of("10.11.1.1:5201+10.11.1.2:59528"), atNs: at, rttNs: 5_425_439, minRttNs: 5_425_439 },
      { ...sample, flow: of("10.11.1.1:5201+10.11.1.2:59528"), atNs: at, rttNs: 5_261_430, minRttNs: 5_261_430 },
    ];
    const time = `${clock(at)}.147705205`;
    expect(news(first)).toBe(`${time} 5.425439 ms 5.425439 ms 10.11.1.1:5201+10.11.1.2:59528`);
    expect(news(second)).toBe(`${time} 5.261430 ms 5.261430 ms 10.11.1.1:5201+10.11.1.2:59528`);
    expect(news(opening)).toBe(`${clock(opening.atNs)}.244545000 ${flow.text} opening due to SYN-ACK from src`);
    const seed = { ...sample, atNs: 1_623_420_121_483_727_575n, rttNs: 5_298_909, minRttNs: 5_298_900 };
    expect(eventFormat("ppviz", true).news(seed)).toBe(`1623420121.483727575 0.005298909 0.005298900 ${flow.text}`);
  });

  test("a method that the protocol does not tell is named, the spin bit with how sure it is", () => {
    const { news } = eventFormat("standard", false);
    expect(news({ ...sample, method: "tcp_handshake" })).toMatch(/59572 tcp_handshake$/);
    expect(news({ ...sample, method: "quic_spin", confidencePermille: 875 })).toMatch(/59572 quic_spin 87.5%$/);
    expect(news({ ...sample, method: "icmp_echo" })).toMatch(/59572$/);
  });
});

describe("ppviz", () => {
  const { news, shortage: short } = eventFormat("ppviz", false);

  test("times to the nanosecond, no flow events", () => {
    expect(news(sample)).toBe(`1623420838.254558500 0.005977708 0.005441848 ${flow.text}`);
    expect(news(opening)).toBeUndefined();
  });

  test("what was not measured is a comment", () => {
    expect(short(AT, shortage)).toMatch(/^# 1623420838\.254558500 .*7 packets.*3 identifiers/);
  });
});

describe("json", () => {
  const { news, shortage: short } = eventFormat("json", false);

  test("every member as the current version writes them, in its order, without a space", () => {
    expect(news(sample)).toBe(
      '{"timestamp":1623420838254558500,"src_ip":"10.11.1.1","src_port":5201,"dest_ip":"10.11.1.2","dest_port":59572,' +
        '"protocol":"TCP","rtt":5977708,"min_rtt":5441848,"sent_packets":9393,"sent_bytes":492457296,' +
        '"rec_packets":5922,"rec_bytes":37,"match_on_egress":false}',
    );
    expect(news(opening)).toBe(
      '{"timestamp":1623420837244545000,"src_ip":"10.11.1.1","src_port":5201,"dest_ip":"10.11.1.2","dest_port":59572,' +
        '"protocol":"TCP","flow_event":"opening","reason":"SYN-ACK","triggered_by":"src"}',
    );
  });

  test("--seed-format: exactly the members of the seed document's examples", () => {
    const seed = eventFormat("json", true);
    const rtt = `{ "timestamp": 1623420838254558500, "src_ip": "10.11.1.1", "src_port": 5201, "dest_ip": "10.11.1.2",
      "dest_port": 59572, "protocol": "TCP", "rtt": 5977708, "min_rtt": 5441848, "sent_packets": 9393,
      "sent_bytes": 492457296, "rec_packets": 5922, "rec_bytes": 37 }`;
    expect(seed.news(sample)).toBe(rtt.replaceAll(/\s/g, ""));
  });

  test("what found no room is told", () => {
    expect(JSON.parse(short(AT, shortage))).toMatchObject({ errors: { create_flow_state: 7, store_packet_ts: 3 } });
  });
});

describe("aggregates", () => {
  const rtts = new LogHistogram();
  for (let i = 1; i <= 100; i++) rtts.add(i * 50_000);
  const amount = (packets: bigint) => ({ packets, l3Bytes: packets * 100n });
  const summary: PrefixSummary = {
    prefix: "10.0.0.0/24",
    received: { timestamps: amount(5n), noTimestamps: amount(0n), other: amount(2n) },
    sent: { timestamps: amount(4n), noTimestamps: amount(1n), other: amount(0n) },
    methods: [],
    rtts,
  };
  const traffic = {
    notIp: amount(1n),
    tcp: amount(9n),
    udp: amount(0n),
    icmp: amount(0n),
    icmpv6: amount(0n),
    others: new Map([[47, 3n]]),
    ecn: [8n, 0n, 1n, 0n],
  };

  test("standard", () => {
    const format = eventFormat("standard", false);
    const line = format.prefix(AT, summary) ?? "";
    expect(line).toContain(": 10.0.0.0/24 -> rxpkts=7, rxbytes=700, txpkts=5, txbytes=500, rtt-count=100, min=0.05 ms");
    const [, median, p95] = /median=([\d.]+) ms, p95=([\d.]+) ms, max=5 ms$/.exec(line) ?? [];
    expect(Math.abs(Number(median) - 2.5)).toBeLessThan(2.5 * 0.008);
    expect(Math.abs(Number(p95) - 4.75)).toBeLessThan(4.75 * 0.008);
    expect(format.traffic(AT, traffic, shortage)).toContain(
      ": non-IP=(pkts=1, bytes=100), TCP=(pkts=9, bytes=900), 47=(pkts=3), ECN=(Not-ECT=8, ECT0=1), errors=(store-packet-ts=3, create-flow-state=7)",
    );
  });

  test("json", () => {
    const format = eventFormat("jsonl", false);
    const parsed = JSON.parse(format.prefix(AT, summary) ?? "");
    expect(parsed).toMatchObject({
      ip_prefix: "10.0.0.0/24",
      rx_stats: { TCP_TS: { packets: 5, bytes: 500 }, other: { packets: 2, bytes: 200 } },
      tx_stats: { TCP_TS: { packets: 4, bytes: 400 }, TCP_noTS: { packets: 1, bytes: 100 } },
      count_rtt: 100,
      min_rtt: 50_000,
      max_rtt: 5_000_000,
    });
    expect(parsed.histogram.reduce((sum: number, [, count]: [number, number]) => sum + count, 0)).toBe(100);
    expect(JSON.parse(format.traffic(AT, traffic, enough) ?? "")).toMatchObject({
      protocol_counters: { non_IP: { packets: 1 }, "47": { packets: 3 } },
      ecn_counters: { no_ECT: 8, ECT0: 1 },
      errors: {},
    });
    const header = { intervalNs: 10n, timeoutNs: 30n, ipv4Bits: 24, ipv6Bits: 48 };
    expect(JSON.parse(format.aggregateBegin(AT, header) ?? "")).toMatchObject({ ipv4_prefix_len: 24 });
  });
});

describeWithTools("jq", ["jq"], () => {
  test("reads what is written", () => {
    const { news } = eventFormat("json", false);
    const text = `[${news(sample)},${news(closing)}]`;
    const query = ".[0].rtt, .[1].reason, .[0].match_on_egress";
    expect(execFileSync("jq", ["-c", query], { input: text, encoding: "utf8" })).toBe(
      '5977708\n"flow timeout"\nfalse\n',
    );
  });
});
