import type { Publisher } from "@waymark/agent";
import type { Measurement } from "./config.ts";
import type { EventFormat } from "./event-format.ts";
import type { FlowEnd } from "./flow-end.ts";
import { FlowSummaries } from "./flow-summaries.ts";
import { type FlowCounts, isLikely, type News } from "./news.ts";
import type { Output } from "./output.ts";
import { PrefixAggregator } from "./prefix-aggregator.ts";
import type { MethodRtts, PrefixSummary } from "./prefix-summary.ts";
import { totalOf } from "./prefix-summary.ts";
import { ReportBatch } from "./report-batch.ts";

/** Where results go. */
export interface RecorderOptions {
  readonly measurement: Measurement;
  readonly format: EventFormat;
  readonly output: Output;
  /** Undefined: nobody is reported to. */
  readonly publisher: Pick<Publisher, "publish"> | undefined;
}

/** How many samples there were, by method and side. */
export type SampleCounts = Readonly<Record<string, bigint>>;

/** Writes and reports what the kernel tells: each sample and event, or sums by prefix. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #batch: ReportBatch | undefined;
  readonly #flows: FlowSummaries | undefined;
  readonly #prefixes: PrefixAggregator | undefined;
  readonly #counts: Record<string, bigint> = {};

  constructor(options: RecorderOptions) {
    const { measurement, publisher } = options;
    const { aggregation } = measurement;
    this.#options = options;
    this.#batch = publisher && new ReportBatch((payload) => publisher.publish(payload));
    this.#flows = publisher && !aggregation ? new FlowSummaries(measurement.flows) : undefined;
    this.#prefixes = aggregation && new PrefixAggregator(aggregation);
  }

  /** Samples so far: `samples_<method>`, `samples_<method>_local`; `samples_<method>_doubtful`, which are in no sum. */
  get sampleCounts(): SampleCounts {
    return this.#counts;
  }

  /** Takes news in. */
  add(all: Iterable<News>): void {
    const records: string[] = [];
    for (const news of all) {
      const doubtful = news.kind === "rtt" && !isLikely(news);
      if (news.kind === "rtt") this.#count(`samples_${news.method}${news.local ? "_local" : ""}`);
      if (doubtful) this.#count(`samples_${news.method}_doubtful`);
      if (this.#prefixes !== undefined) {
        if (news.kind === "rtt" && !doubtful) this.#prefixes.add(news);
        continue;
      }
      this.#flows?.add(news);
      if (news.kind === "rtt") this.#batch?.addSample(news);
      else if (news.kind !== "removed") this.#batch?.addChange(news);
      const record = this.#options.format.news(news);
      if (record !== undefined) records.push(record);
    }
    this.#options.output.write(records);
  }

  /** Reports what flows did in this time. Not with aggregation. @param countsNow as for {@link FlowSummaries.take} */
  summarise(fromNs: bigint, toNs: bigint, countsNow: (flow: FlowEnd) => FlowCounts | undefined): void {
    if (this.#flows === undefined || this.#batch === undefined) return;
    for (const summary of this.#flows.take(fromNs, toNs, countsNow)) this.#batch.addSummary(summary);
  }

  /** Writes and reports what prefixes did in this time. @param kernel what the kernel counted by prefix */
  aggregate(fromNs: bigint, toNs: bigint, kernel: Parameters<PrefixAggregator["take"]>[0]): void {
    const { format, output, measurement } = this.#options;
    if (this.#prefixes === undefined) return;
    const summaries = this.#prefixes.take(kernel);
    output.write(summaries.flatMap((summary) => format.prefix(toNs, summary) ?? []));
    for (const summary of summaries) this.#reportPrefix(summary, fromNs, toNs, measurement.methods.sequence);
  }

  /** Hands on what waits to be reported. */
  flush(): void {
    this.#batch?.flush();
  }

  #reportPrefix(summary: PrefixSummary, fromNs: bigint, toNs: bigint, sequence: boolean): void {
    const { prefix, received, sent, methods } = summary;
    const [from, to] = [totalOf(received), totalOf(sent)];
    const measurable = [received, sent].reduce(
      (sum, { timestamps, noTimestamps }) => sum + timestamps.packets + (sequence ? noTimestamps.packets : 0n),
      0n,
    );
    const counts = {
      sentPackets: to.packets,
      sentL3Bytes: to.l3Bytes,
      receivedPackets: from.packets,
      receivedL3Bytes: from.l3Bytes,
      measurablePackets: measurable,
    };
    const none = { sentPackets: 0n, sentL3Bytes: 0n, receivedPackets: 0n, receivedL3Bytes: 0n, measurablePackets: 0n };
    const told: readonly (MethodRtts | undefined)[] = methods.length > 0 ? methods : [undefined];
    for (const [i, kind] of told.entries()) {
      this.#batch?.addSummary({
        subject: prefix,
        fromNs,
        toNs,
        method: kind?.method,
        local: kind?.local ?? false,
        rtts: kind?.rtts,
        // In one only, so that they add up.
        counts: i === 0 ? counts : none,
      });
    }
  }

  #count(name: string): void {
    this.#counts[name] = (this.#counts[name] ?? 0n) + 1n;
  }
}
