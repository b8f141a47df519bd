import { addFigures, type FlowFigures, followFigures, NO_FIGURES } from "./flow-figures.ts";
import { PROTOCOL_CLASSES, type ProtocolClass, protocolClass } from "./protocol-class.ts";
import type { FlowReading, OverflowReading, Reading } from "./reading.ts";

/** All flows in one interval. Times in nanoseconds since the Unix epoch. */
export interface Interval {
  readonly fromNs: bigint;
  readonly toNs: bigint;
  /** Those that had a packet; the one with the most bytes first. */
  readonly flows: readonly FlowReading[];
  readonly overflow: readonly OverflowReading[];
  readonly totals: Totals;
}

/** Sums of all flows and of what found no room, by protocol. */
export type Totals = Readonly<Record<ProtocolClass, FlowFigures>>;

/** Adds up readings until an interval is whole. */
export class IntervalSum {
  readonly #flows = new Map<string, FlowReading>();
  readonly #overflow: OverflowReading[] = [];

  add({ flows, overflow }: Reading): void {
    for (const flow of flows) {
      const before = this.#flows.get(flow.key);
      const figures = before ? followFigures(before.figures, flow.figures) : flow.figures;
      this.#flows.set(flow.key, { ...flow, figures });
    }
    this.#overflow.push(...overflow);
  }

  /** The interval, and begins the next. */
  take(fromNs: bigint, toNs: bigint): Interval {
    const flows = [...this.#flows.values()].sort((a, b) => compare(b.figures.l3Bytes, a.figures.l3Bytes));
    const overflow = this.#overflow.splice(0);
    this.#flows.clear();
    return { fromNs, toNs, flows, overflow, totals: totalsOf(flows, overflow) };
  }
}

/** Sums by protocol. What found no room has no gaps and no numbers, and its TCP octets are all taken for new. */
export function totalsOf(flows: readonly FlowReading[], overflow: readonly OverflowReading[]): Totals {
  const totals: Record<ProtocolClass, FlowFigures> = { TCP: NO_FIGURES, UDP: NO_FIGURES, ICMP: NO_FIGURES };
  for (const { id, figures } of flows) {
    const name = protocolClass(id.protocol);
    if (name) totals[name] = addFigures(totals[name], figures);
  }
  for (const { protocol, packets, l3Bytes, payloadBytes } of overflow) {
    const figures = { ...NO_FIGURES, packets, l3Bytes, payloadBytes, goodputBytes: payloadBytes };
    totals[protocol] = addFigures(totals[protocol], figures);
  }
  return totals;
}

/** The figures of every protocol in turn. */
export function eachTotal(totals: Totals): readonly (readonly [ProtocolClass, FlowFigures])[] {
  return PROTOCOL_CLASSES.map((name) => [name, totals[name]] as const);
}

/** Seconds that an interval lasted. */
export function lengthS({ fromNs, toNs }: Pick<Interval, "fromNs" | "toNs">): number {
  return Number(toNs - fromNs) / 1e9;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
