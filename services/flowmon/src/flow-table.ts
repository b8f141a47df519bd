import { flowName } from "./flow-id.ts";
import { gapDeviation, gapMean, superGapRatio } from "./gap-figures.ts";
import { type Interval, lengthS } from "./interval.ts";
import type { FlowReading } from "./reading.ts";
import { netEpisodes, netLost, type SequenceFigures } from "./sequence-figures.ts";
import { milliseconds, scaleRate } from "./units.ts";

/** How the table of flows is printed. */
export interface TableOptions {
  readonly bits: boolean;
  readonly loss: boolean;
  /** Rows at the most; what is left out is said. */
  readonly top: number;
  /** What a flow's numbers have said since its start. */
  readonly since: (flow: FlowReading) => SequenceFigures | undefined;
}

const GAP_HEADINGS = [
  "GAP MEAN ms",
  "GAP STDDEV ms",
  "IN SUPER-PACKETS",
  "RTP JITTER ms",
  "BURST 1ms B",
  "BURST 10ms B",
];
const LOSS_HEADINGS = ["SEQ", "RECEIVED", "REVERSE", "SMALL", "BIG", "DUP", "REORDERED", "LOST", "EPISODES"];

/** The flows of an interval as an aligned table, the busiest first; none: no lines. */
export function flowTable(interval: Interval, options: TableOptions): string[] {
  const shown = interval.flows.slice(0, options.top);
  const rows = [
    ...shown.map((flow) => row(flow, lengthS(interval), options)),
    ...interval.overflow.map((sum) => {
      const { value, unit } = scaleRate(Number(sum.l3Bytes) / lengthS(interval), options.bits);
      return [`${sum.protocol} flows beyond the table (${sum.interface} ${sum.direction})`, `${value} ${unit}`];
    }),
  ];
  if (rows.length === 0) return [];
  const headings = [
    "FLOW",
    "THROUGHPUT (IP)",
    "GOODPUT (PAYLOAD)",
    ...GAP_HEADINGS,
    ...(options.loss ? LOSS_HEADINGS : []),
  ];
  const lines = align([headings, ...rows]);
  const more = interval.flows.length - shown.length;
  return more > 0 ? [...lines, `… and ${more} more flows (--top)`] : lines;
}

function row(flow: FlowReading, seconds: number, options: TableOptions): string[] {
  const { figures, id } = flow;
  const rate = (bytes: bigint) => {
    const { value, unit } = scaleRate(Number(bytes) / seconds, options.bits);
    return `${value} ${unit}`;
  };
  const ratio = superGapRatio(figures.gaps);
  return [
    `${flowName(id)} (${id.interface} ${id.direction})`,
    rate(figures.l3Bytes),
    rate(figures.goodputBytes),
    milliseconds(gapMean(figures.gaps)),
    milliseconds(gapDeviation(figures.gaps)),
    ratio === undefined ? "-" : `${(ratio * 100).toFixed(1)}%`,
    milliseconds(figures.rtpJitterNs === undefined ? undefined : Number(figures.rtpJitterNs)),
    String(figures.burst1msL3Bytes),
    String(figures.burst10msL3Bytes),
    ...(options.loss ? sequenceCells(options.since(flow)) : []),
  ];
}

function sequenceCells(since: SequenceFigures | undefined): string[] {
  if (!since) return LOSS_HEADINGS.map(() => "-");
  const { current, received, reverse, small, big, duplicates, reordered } = since;
  const counts = [current, received, reverse, small, big, duplicates, reordered, netLost(since), netEpisodes(since)];
  return counts.map(String);
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
