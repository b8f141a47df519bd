import type { DelayMetric } from "../stats/delay-metric.ts";
import type { Summary } from "../stats/summary.ts";
import { blockLines } from "./block.ts";
import { oneWayNote } from "./one-way-note.ts";
import type { SessionView } from "./session-view.ts";
import { milliseconds } from "./units.ts";

const COLUMNS: readonly (readonly [title: string, value: (metric: DelayMetric) => number | undefined])[] = [
  ["p50", (metric) => metric.histogram.percentile(50)],
  ["p95", (metric) => metric.histogram.percentile(95)],
  ["p99", (metric) => metric.histogram.percentile(99)],
  ["p99.9", (metric) => metric.histogram.percentile(99.9)],
  ["IPDV", (metric) => metric.ipdvNs],
  ["PDV 99.9", (metric) => metric.pdvNs(99.9)],
];

/** What `sender` prints at the end of a session, however it ends. */
export function summaryText(session: SessionView): string {
  const { summary } = session;
  const lines = [
    "",
    `--- ${session.host} STAMP statistics ---`,
    ...blockLines(summary),
    ...fateLine(summary),
    `${"".padEnd(10)}${COLUMNS.map(([title]) => title.padStart(11)).join("")}  ms`,
    percentiles("Near-end", summary.forward),
    percentiles("Far-end", summary.backward),
    percentiles("Roundtrip", summary.roundTrip),
    percentiles("Reflector", summary.residence),
  ];
  const note = oneWayNote(summary);
  return [...lines, ...(note === undefined ? [] : [note]), ""].join("\n");
}

function percentiles(name: string, metric: DelayMetric): string {
  return `${name.padEnd(10)}${COLUMNS.map(([, value]) => milliseconds(value(metric)).padStart(11)).join("")}`;
}

/** What else became of the packets. */
function fateLine(summary: Summary): readonly string[] {
  const { lost, late, duplicates, reordered, withoutTimes, lostByDirection } = summary;
  const parts: string[] = [];
  if (lostByDirection !== undefined && lost > 0) {
    const { forward, backward } = lostByDirection;
    const untold = lost - forward - backward;
    parts.push(`lost forward ${forward}, backward ${backward}${untold > 0 ? `, unknown ${untold}` : ""}`);
  }
  parts.push(`late ${late}`, `duplicates ${duplicates}`, `reordered ${reordered}`);
  if (withoutTimes > 0) parts.push(`without times ${withoutTimes}`);
  return [`           ${parts.join("; ")}`];
}
