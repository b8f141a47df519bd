import type { EventFormat } from "./event-format.ts";
import { LocalTime } from "./local-time.ts";
import type { Method } from "./method.ts";
import type { News, RttSample } from "./news.ts";
import { totalOf } from "./prefix-summary.ts";
import { formatFixed, formatG } from "./printf.ts";
import { protocolText } from "./protocol-text.ts";
import type { Amount, InterfaceTraffic, Shortage } from "./traffic.ts";
import { isEnough } from "./traffic.ts";

const NS_PER_MS = 1_000_000;
const NS_PER_S = 1_000_000_000;
const DIGITS = 6;
const PERMILLE_PER_PERCENT = 10;
/** The protocol tells these; all others are named at the end of the line. */
const PLAIN: ReadonlySet<Method> = new Set(["tcp_timestamp", "icmp_echo"]);

/** Lines for people: `16:00:46.147705205 5.425439 ms 5.425439 ms TCP 10.11.1.1:5201+10.11.1.2:59528`. */
export function standardFormat(seedFormat: boolean): EventFormat {
  const time = new LocalTime();
  const protocol = (news: News) => (seedFormat ? "" : `${news.flow.protocolText} `);
  const rtt = seedFormat ? (ns: number) => formatFixed(ns, DIGITS) : ms;
  return {
    news(news) {
      switch (news.kind) {
        case "removed":
          return undefined;
        case "rtt":
          return `${time.format(news.atNs)} ${rtt(news.rttNs)} ms ${rtt(news.minRttNs)} ms ${protocol(news)}${news.flow.text}${suffix(news)}`;
        default:
          return `${time.format(news.atNs)} ${protocol(news)}${news.flow.text} ${news.kind} due to ${news.reason} from ${news.triggeredBy}`;
      }
    },
    shortage: (atNs, shortage) => `${time.format(atNs)}: ${errors(shortage)}`,
    aggregateBegin: (_atNs, { intervalNs }) =>
      `Aggregating RTTs in log-scale histograms (0.8 % wide bins) every ${formatG(Number(intervalNs) / NS_PER_S, 9)} seconds`,
    prefix(atNs, summary) {
      const { prefix, rtts } = summary;
      const [rx, tx] = [totalOf(summary.received), totalOf(summary.sent)];
      const traffic = `rxpkts=${rx.packets}, rxbytes=${rx.l3Bytes}, txpkts=${tx.packets}, txbytes=${tx.l3Bytes}`;
      const line = `${time.format(atNs)}: ${prefix} -> ${traffic}`;
      if (rtts === undefined) return line;
      const told = [
        ["min", rtts.min],
        ["mean", rtts.mean],
        ["median", rtts.percentile(50)],
        ["p95", rtts.percentile(95)],
        ["max", rtts.max],
      ] as const;
      return `${line}, rtt-count=${rtts.count}, ${told.map(([name, ns]) => `${name}=${ms(ns ?? 0)} ms`).join(", ")}`;
    },
    traffic: (atNs, traffic, shortage) => `${time.format(atNs)}: ${traffics(traffic, shortage)}`,
  };
}

function ms(ns: number): string {
  return formatG(ns / NS_PER_MS, DIGITS);
}

function suffix({ method, confidencePermille }: RttSample): string {
  if (PLAIN.has(method)) return "";
  return method === "quic_spin" ? ` ${method} ${confidencePermille / PERMILLE_PER_PERCENT}%` : ` ${method}`;
}

function errors({ stamps, flows, prefixes, events }: Shortage): string {
  const counts = [
    ["store-packet-ts", stamps],
    ["create-flow-state", flows],
    ["create-agg-subnet-state", prefixes],
    ["lost-events", events],
  ] as const;
  return `errors=(${some(counts)})`;
}

function traffics(traffic: InterfaceTraffic, shortage: Shortage): string {
  const amounts: (readonly [string, Amount])[] = [
    ["non-IP", traffic.notIp],
    ["TCP", traffic.tcp],
    ["UDP", traffic.udp],
    ["ICMP", traffic.icmp],
    ["ICMPv6", traffic.icmpv6],
    ...[...traffic.others].map(([number, packets]) => [protocolText(number), { packets, l3Bytes: 0n }] as const),
  ];
  const told = amounts
    .filter(([, { packets }]) => packets > 0n)
    .map(
      ([name, { packets, l3Bytes }]) => `${name}=(${some([["pkts", packets] as const, ["bytes", l3Bytes] as const])})`,
    );
  const parts = told.length > 0 ? told : ["pkts=0, bytes=0"];
  if (traffic.ecn.some((packets) => packets > 0n)) parts.push(`ECN=(${some(ecnNames(traffic.ecn))})`);
  if (!isEnough(shortage)) parts.push(errors(shortage));
  return parts.join(", ");
}

function ecnNames([none = 0n, ect1 = 0n, ect0 = 0n, ce = 0n]: readonly bigint[]) {
  return [["Not-ECT", none] as const, ["ECT1", ect1] as const, ["ECT0", ect0] as const, ["CE", ce] as const];
}

function some(counts: readonly (readonly [string, bigint])[]): string {
  return counts
    .filter(([, count]) => count > 0n)
    .map(([name, count]) => `${name}=${count}`)
    .join(", ");
}
