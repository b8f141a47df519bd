import { type Block, blockStart, coverage, type FlowCount } from "./block.ts";
import { type ClockStep, touchedByStep } from "./clock-step.ts";
import { flowOfRule, type Measurement } from "./config.ts";
import { OTHER_FLOW, ruleHash } from "./flow-rule.ts";

/** What a slot of the kernel held. Wire packets, L3 bytes. */
export interface Counted {
  /** Number of the rule; 0 without rules. */
  readonly rule: number;
  /** `udp 10.0.0.1:1 > 10.0.0.2:2` with --per-flow; absent for the rule's own counter. */
  readonly tuple?: string;
  readonly packets: bigint;
  readonly l3Bytes: bigint;
  readonly fragments: bigint;
  readonly outOfGuard: bigint;
}

/** One block as it was read. */
export interface Reading {
  readonly blockNumber: bigint;
  readonly counted: readonly Counted[];
  /** Sink: marked fragments that match no rule, so that they were made on the way. */
  readonly unmatchedFragments: bigint;
}

/** What is known of the time in which a block was counted. Nanoseconds since the Unix epoch. */
export interface Watch {
  readonly attachedNs: bigint;
  /** Now, or when the programs were detached. */
  readonly untilNs: bigint;
  readonly steps: readonly ClockStep[];
  /** Packets passed uncounted while the block was open (no slot, no lease): it was not watched. */
  readonly interrupted: boolean;
  /** Where sampled packets went, the most frequent first. */
  readonly topDestinations: readonly string[];
}

/**
 * The blocks of all paths that a reading stands for; also of those without a packet. None for a neighbour of the time
 * watched, in which a sink might have counted a late or early packet but did not.
 */
export function blocksOf(measurement: Measurement, reading: Reading, watch: Watch): Block[] {
  const { role, intervalNs, guardNs, paths, rules, perFlow } = measurement;
  const { blockNumber } = reading;
  const covered = coverage(role, blockNumber, intervalNs, watch.attachedNs, watch.untilNs);
  const start = blockStart(blockNumber, intervalNs);
  const isNeighbour = covered.toNs <= start || covered.fromNs >= start + intervalNs;
  if (isNeighbour && reading.counted.every((count) => count.packets === 0n)) return [];
  return paths.map((path) => ({
    path,
    blockNumber,
    intervalNs,
    guardNs,
    coveredFromNs: covered.fromNs,
    coveredToNs: watch.interrupted ? covered.fromNs : covered.toNs,
    ruleHash: ruleHash(
      rules.filter((rule) => rule.path === path),
      perFlow,
    ),
    clockStepped: watch.steps.some((step) => touchedByStep(role, blockNumber, intervalNs, guardNs, step)),
    topDestinations: watch.topDestinations,
    unmatchedFragments: reading.unmatchedFragments,
    ...flowsOf(measurement, path, reading.counted),
  }));
}

function flowsOf(
  measurement: Measurement,
  path: string,
  counted: readonly Counted[],
): { readonly flows: FlowCount[]; readonly overflowed: boolean } {
  const own = counted.filter((count) => flowOfRule(measurement, count.rule).path === path);
  if (!measurement.perFlow) {
    return { overflowed: false, flows: own.map((count) => named(flowOfRule(measurement, count.rule).flow, count)) };
  }
  const told = own.filter((count) => count.tuple !== undefined);
  const rest = own.filter((count) => count.tuple === undefined);
  const other = rest.reduce((sum, count) => add(sum, count), named(OTHER_FLOW, NOTHING));
  const flows = told.map((count) => {
    const { flow } = flowOfRule(measurement, count.rule);
    return named(measurement.rules.length > 0 ? `${flow} ${count.tuple}` : `${count.tuple}`, count);
  });
  return { overflowed: other.packets > 0n, flows: [...flows, other] };
}

const NOTHING: Counted = { rule: 0, packets: 0n, l3Bytes: 0n, fragments: 0n, outOfGuard: 0n };

function named(flow: string, { packets, l3Bytes, fragments, outOfGuard }: Counted): FlowCount {
  return { flow, packets, l3Bytes, fragments, outOfGuard };
}

function add(sum: FlowCount, count: Counted): FlowCount {
  return {
    flow: sum.flow,
    packets: sum.packets + count.packets,
    l3Bytes: sum.l3Bytes + count.l3Bytes,
    fragments: sum.fragments + count.fragments,
    outOfGuard: sum.outOfGuard + count.outOfGuard,
  };
}
