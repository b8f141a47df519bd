import { boundsOf, type LogHistogram } from "@waymark/stats";
import type { EventFormat } from "./event-format.ts";
import type { Method } from "./method.ts";
import type { News, RttSample } from "./news.ts";
import type { PrefixSummary, PrefixTraffic } from "./prefix-summary.ts";
import { protocolText } from "./protocol-text.ts";
import type { Amount, InterfaceTraffic, Shortage } from "./traffic.ts";

/** The protocol tells these; all others have a member `method`. */
const PLAIN: ReadonlySet<Method> = new Set(["tcp_timestamp", "icmp_echo"]);
const PERMILLE = 1000;

/** JSON objects; times in nanoseconds, octets of payload. Written by hand: times are beyond what JavaScript's numbers hold. */
export function jsonFormat(seedFormat: boolean): EventFormat {
  return {
    news: (news) => newsJson(news, seedFormat),
    shortage: (atNs, shortage) => `{"timestamp":${atNs},"errors":${errors(shortage)}}`,
    aggregateBegin: (atNs, header) =>
      `{"timestamp":${atNs},"bin_width_ratio":0.0078125,"aggregation_interval_ns":${header.intervalNs},` +
      `"timeout_interval_ns":${header.timeoutNs},"ipv4_prefix_len":${header.ipv4Bits},"ipv6_prefix_len":${header.ipv6Bits}}`,
    prefix: prefixJson,
    traffic: (atNs, traffic, shortage) =>
      `{"timestamp":${atNs},"protocol_counters":${protocols(traffic)},"ecn_counters":${ecn(traffic.ecn)},"errors":${errors(shortage)}}`,
  };
}

function newsJson(news: News, seedFormat: boolean): string | undefined {
  if (news.kind === "removed") return undefined;
  const { flow, counts } = news;
  const common =
    `{"timestamp":${news.atNs},"src_ip":"${flow.sourceText}","src_port":${flow.sourcePort},` +
    `"dest_ip":"${flow.destinationText}","dest_port":${flow.destinationPort},"protocol":"${flow.protocolText}",`;
  if (news.kind !== "rtt") {
    return `${common}"flow_event":"${news.kind}","reason":"${news.reason}","triggered_by":"${news.triggeredBy}"}`;
  }
  return (
    `${common}"rtt":${news.rttNs},"min_rtt":${news.minRttNs},"sent_packets":${counts.sentPackets},` +
    `"sent_bytes":${counts.sentPayloadBytes},"rec_packets":${counts.receivedPackets},` +
    `"rec_bytes":${counts.receivedPayloadBytes}${seedFormat ? "" : `,"match_on_egress":${news.local}`}${method(news)}}`
  );
}

function method({ method: name, confidencePermille }: RttSample): string {
  if (PLAIN.has(name)) return "";
  const confidence = name === "quic_spin" ? `,"confidence":${confidencePermille / PERMILLE}` : "";
  return `,"method":"${name}"${confidence}`;
}

function prefixJson(atNs: bigint, { prefix, received, sent, rtts }: PrefixSummary): string {
  const traffic = `"rx_stats":${prefixTraffic(received)},"tx_stats":${prefixTraffic(sent)}`;
  return `{"timestamp":${atNs},"ip_prefix":"${prefix}",${traffic}${rtts ? `,${distribution(rtts)}` : ""}}`;
}

function prefixTraffic({ timestamps, noTimestamps, other }: PrefixTraffic): string {
  return amounts([
    ["TCP_TS", timestamps],
    ["TCP_noTS", noTimestamps],
    ["other", other],
  ]);
}

/** The histogram as pairs: the least value of a bin and how many are in it. Empty bins are left out. */
function distribution(rtts: LogHistogram): string {
  const whole = (ns: number | undefined) => Math.round(ns ?? 0);
  const { buckets, counts } = rtts.toBuckets();
  const bins = buckets.map((bucket, i) => `[${boundsOf(bucket)[0]},${counts[i]}]`);
  return (
    `"count_rtt":${rtts.count},"min_rtt":${whole(rtts.min)},"mean_rtt":${whole(rtts.mean)},` +
    `"median_rtt":${whole(rtts.percentile(50))},"p95_rtt":${whole(rtts.percentile(95))},"max_rtt":${whole(rtts.max)},` +
    `"histogram":[${bins.join(",")}]`
  );
}

function protocols(traffic: InterfaceTraffic): string {
  return amounts([
    ["non_IP", traffic.notIp],
    ["TCP", traffic.tcp],
    ["UDP", traffic.udp],
    ["ICMP", traffic.icmp],
    ["ICMPv6", traffic.icmpv6],
    ...[...traffic.others].map(([number, packets]) => [protocolText(number), { packets, l3Bytes: 0n }] as const),
  ]);
}

function ecn([none = 0n, ect1 = 0n, ect0 = 0n, ce = 0n]: readonly bigint[]): string {
  return members([
    ["no_ECT", none],
    ["ECT1", ect1],
    ["ECT0", ect0],
    ["CE", ce],
  ]);
}

function errors({ stamps, flows, prefixes, events }: Shortage): string {
  return members([
    ["store_packet_ts", stamps],
    ["create_flow_state", flows],
    ["create_agg_subnet_state", prefixes],
    ["lost_events", events],
  ]);
}

function amounts(entries: readonly (readonly [string, Amount])[]): string {
  const told = entries.filter(([, { packets }]) => packets > 0n);
  const text = told.map(([name, { packets, l3Bytes }]) => {
    return `"${name}":${members([
      ["packets", packets],
      ["bytes", l3Bytes],
    ])}`;
  });
  return `{${text.join(",")}}`;
}

/** Counts of 0 are left out. */
function members(entries: readonly (readonly [string, bigint])[]): string {
  const told = entries.filter(([, count]) => count > 0n);
  return `{${told.map(([name, count]) => `"${name}":${count}`).join(",")}}`;
}
