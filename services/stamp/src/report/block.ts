import type { DelayMetric } from "../stats/delay-metric.ts";
import type { Summary } from "../stats/summary.ts";
import { milliseconds, percent } from "./units.ts";

/**
 * Four lines, laid out as the earlier tool's: packets, near-end (forward), far-end (backward) and round trip. The jitter is
 * that of RFC 3550.
 */
export function blockLines(summary: Summary): readonly string[] {
  const count = (packets: number) => String(packets).padEnd(4);
  const { sent, received, lost } = summary;
  return [
    `Packets:   sent ${count(sent)}      received ${count(received)}  lost ${count(lost)}      loss ${percent(summary.lossRatio)}%`,
    `Near-end:  ${metric(summary.forward)}`,
    `Far-end:   ${metric(summary.backward)}`,
    `Roundtrip: ${metric(summary.roundTrip)}`,
  ];
}

function metric({ histogram, lastNs, jitterNs }: DelayMetric): string {
  const field = (name: string, ns: number | undefined) => `${name} ${milliseconds(ns).padStart(7)}ms`;
  return [
    field("min", histogram.min),
    field("max", histogram.max),
    field("avg", histogram.mean),
    field("last", lastNs),
    field("jitter", jitterNs),
  ].join("  ");
}
