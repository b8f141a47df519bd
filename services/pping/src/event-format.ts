import { jsonFormat } from "./json-format.ts";
import type { News } from "./news.ts";
import { ppvizFormat } from "./ppviz-format.ts";
import type { PrefixSummary } from "./prefix-summary.ts";
import { standardFormat } from "./standard-format.ts";
import type { InterfaceTraffic, Shortage } from "./traffic.ts";

/** How things are written: one record each, without what separates records; undefined: this format leaves it out. */
export interface EventFormat {
  news(news: News): string | undefined;
  /** What found no room in the last interval. */
  shortage(atNs: bigint, shortage: Shortage): string;
  aggregateBegin(atNs: bigint, header: AggregateHeader): string | undefined;
  prefix(atNs: bigint, summary: PrefixSummary): string | undefined;
  /** What passed the interface in the last interval. */
  traffic(atNs: bigint, traffic: InterfaceTraffic, shortage: Shortage): string | undefined;
}

/** What aggregates are made of. */
export interface AggregateHeader {
  readonly intervalNs: bigint;
  readonly timeoutNs: bigint;
  readonly ipv4Bits: number;
  readonly ipv6Bits: number;
}

/** The four ways to write. */
export type FormatName = "standard" | "json" | "jsonl" | "ppviz";

/** @param seedFormat as the first version wrote: without protocol and match_on_egress, all digits of a time */
export function eventFormat(name: FormatName, seedFormat: boolean): EventFormat {
  if (name === "standard") return standardFormat(seedFormat);
  return name === "ppviz" ? ppvizFormat(seedFormat) : jsonFormat(seedFormat);
}
