import type { EventFormat } from "./event-format.ts";
import { unixSeconds } from "./local-time.ts";
import { formatFixed, formatG } from "./printf.ts";

const NS_PER_S = 1_000_000_000;
const DIGITS = 9;

/** Lines for ppviz: `1623420121.483727575 0.005298909 0.005298909 10.11.1.1:5201+10.11.1.2:59532`. No flow events. */
export function ppvizFormat(seedFormat: boolean): EventFormat {
  const seconds = (ns: number) => (seedFormat ? formatFixed(ns, DIGITS) : formatG(ns / NS_PER_S, DIGITS));
  return {
    news: (news) =>
      news.kind === "rtt"
        ? `${unixSeconds(news.atNs)} ${seconds(news.rttNs)} ${seconds(news.minRttNs)} ${news.flow.text}`
        : undefined,
    shortage: (atNs, { stamps, flows, events }) =>
      `# ${unixSeconds(atNs)} not measured: ${flows} packets without a flow entry, ${stamps} identifiers not stored, ${events} events lost`,
    aggregateBegin: () => undefined,
    prefix: () => undefined,
    traffic: () => undefined,
  };
}
