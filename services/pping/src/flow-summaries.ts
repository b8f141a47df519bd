import { LogHistogram } from "@waymark/stats";
import type { FlowEnd } from "./flow-end.ts";
import type { Method } from "./method.ts";
import { type FlowCounts, isLikely, type News, type RttSample } from "./news.ts";
import type { Summary, SummaryCounts } from "./report-batch.ts";

/** What is known of one direction of a flow. */
interface Entry {
  readonly flow: FlowEnd;
  readonly rtts: Map<string, { readonly method: Method; readonly local: boolean; readonly histogram: LogHistogram }>;
  counts: FlowCounts;
  told: FlowCounts;
}

const NOTHING: FlowCounts = {
  sentPackets: 0,
  sentL3Bytes: 0,
  sentPayloadBytes: 0,
  receivedPackets: 0,
  receivedL3Bytes: 0,
  receivedPayloadBytes: 0,
};

/** Round-trip times and packets of flows, summed up interval by interval. */
export class FlowSummaries {
  readonly #entries = new Map<FlowEnd, Entry>();
  /** Both directions of a flow, for its last word. */
  readonly #byId = new Map<number, Entry[]>();
  #removed: Entry[] = [];
  readonly #limit: number;

  /** @param flows how many are remembered at the most; beyond, the oldest ones are told early */
  constructor(flows: number) {
    this.#limit = flows * 2;
  }

  /** Directions of flows that are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** Takes news in. A sample that is not likely adds to no histogram. */
  add(news: News): void {
    if (news.kind === "removed") {
      this.#remove(news.flow.flowId, news.counts);
      return;
    }
    const entry = this.#entry(news.flow);
    entry.counts = later(entry.counts, news.counts);
    if (news.kind === "rtt" && isLikely(news)) addRtt(entry, news);
  }

  /**
   * What happened since the last time. Flows without a sample and without a packet more are left out.
   *
   * @param countsNow what the kernel has counted of a flow; undefined if it is gone
   */
  take(
    fromNs: bigint,
    toNs: bigint,
    countsNow: (flow: FlowEnd) => FlowCounts | undefined = () => undefined,
  ): Summary[] {
    for (const entry of this.#entries.values()) {
      entry.counts = later(entry.counts, countsNow(entry.flow) ?? entry.counts);
    }
    const entries = [...this.#removed, ...this.#entries.values()];
    this.#removed = [];
    return entries.flatMap((entry) => summariesOf(entry, fromNs, toNs));
  }

  #entry(flow: FlowEnd): Entry {
    const known = this.#entries.get(flow);
    if (known !== undefined) return known;
    if (this.#entries.size >= this.#limit) this.#forgetOldest();
    const entry: Entry = { flow, rtts: new Map(), counts: NOTHING, told: NOTHING };
    this.#entries.set(flow, entry);
    this.#byId.set(flow.flowId, [...(this.#byId.get(flow.flowId) ?? []), entry]);
    return entry;
  }

  /** @param counts of direction 0 */
  #remove(flowId: number, counts: FlowCounts): void {
    for (const entry of this.#byId.get(flowId) ?? []) {
      entry.counts = later(entry.counts, entry.flow.direction === 0 ? counts : turned(counts));
      this.#removed.push(entry);
      this.#entries.delete(entry.flow);
    }
    this.#byId.delete(flowId);
  }

  #forgetOldest(): void {
    for (const entry of this.#entries.values()) {
      this.#remove(entry.flow.flowId, entry.flow.direction === 0 ? entry.counts : turned(entry.counts));
      return;
    }
  }
}

function addRtt(entry: Entry, { method, local, rttNs }: RttSample): void {
  const key = local ? `${method} local` : method;
  let kind = entry.rtts.get(key);
  if (kind === undefined) {
    kind = { method, local, histogram: new LogHistogram() };
    entry.rtts.set(key, kind);
  }
  kind.histogram.add(rttNs);
}

/** One a method; the counts are in the first. */
function summariesOf(entry: Entry, fromNs: bigint, toNs: bigint): Summary[] {
  const counts = countsSince(entry.counts, entry.told);
  const kinds = [...entry.rtts.values()];
  entry.told = entry.counts;
  entry.rtts.clear();
  const { flow: subject } = entry;
  if (kinds.length === 0) {
    if (counts.measurablePackets === 0n) return [];
    return [{ subject, fromNs, toNs, method: undefined, local: false, rtts: undefined, counts }];
  }
  return kinds.map(({ method, local, histogram }, i) => ({
    subject,
    fromNs,
    toNs,
    method,
    local,
    rtts: histogram,
    counts: i === 0 ? counts : countsSince(NOTHING, NOTHING),
  }));
}

function countsSince(now: FlowCounts, before: FlowCounts): SummaryCounts {
  const sent = now.sentPackets - before.sentPackets;
  const received = now.receivedPackets - before.receivedPackets;
  return {
    sentPackets: BigInt(sent),
    sentL3Bytes: BigInt(now.sentL3Bytes - before.sentL3Bytes),
    receivedPackets: BigInt(received),
    receivedL3Bytes: BigInt(now.receivedL3Bytes - before.receivedL3Bytes),
    measurablePackets: BigInt(sent + received),
  };
}

/** The greater of each, since counts only grow: news may have waited in the ring while the kernel was asked. */
function later(a: FlowCounts, b: FlowCounts): FlowCounts {
  return {
    sentPackets: Math.max(a.sentPackets, b.sentPackets),
    sentL3Bytes: Math.max(a.sentL3Bytes, b.sentL3Bytes),
    sentPayloadBytes: Math.max(a.sentPayloadBytes, b.sentPayloadBytes),
    receivedPackets: Math.max(a.receivedPackets, b.receivedPackets),
    receivedL3Bytes: Math.max(a.receivedL3Bytes, b.receivedL3Bytes),
    receivedPayloadBytes: Math.max(a.receivedPayloadBytes, b.receivedPayloadBytes),
  };
}

/** The same counts as the other direction sees them. */
function turned(counts: FlowCounts): FlowCounts {
  return {
    sentPackets: counts.receivedPackets,
    sentL3Bytes: counts.receivedL3Bytes,
    sentPayloadBytes: counts.receivedPayloadBytes,
    receivedPackets: counts.sentPackets,
    receivedL3Bytes: counts.sentL3Bytes,
    receivedPayloadBytes: counts.sentPayloadBytes,
  };
}
