import { type Block, blockPackets, blockStart, colourOf, type Role } from "./block.ts";

/** Packets by colour since the start, as the earlier tool's ever-growing counters. */
export interface ColourTotals {
  readonly count0: bigint;
  readonly count1: bigint;
}

/** The totals with `block` added. */
export function addToTotals(totals: ColourTotals, block: Block): ColourTotals {
  const packets = blockPackets(block);
  return colourOf(block.blockNumber) === 0
    ? { ...totals, count0: totals.count0 + packets }
    : { ...totals, count1: totals.count1 + packets };
}

/** `color C count0 N count1 N`: the colour of the block that ended and the packets of both since the start. */
export function textLine(block: Block, totals: ColourTotals, manyPaths: boolean): string {
  const path = manyPaths ? ` path=${block.path}` : "";
  return `color ${colourOf(block.blockNumber)} count0 ${totals.count0} count1 ${totals.count1}${path}`;
}

/** One JSON object a block; 64-bit numbers as decimal strings beyond 2^53 - 1 and as numbers below. */
export function jsonLine(role: Role, block: Block): string {
  return JSON.stringify(
    {
      role,
      path: block.path,
      block_number: block.blockNumber,
      start_time: new Date(Number(blockStart(block.blockNumber, block.intervalNs) / 1_000_000n)).toISOString(),
      interval_ns: block.intervalNs,
      covered_from_ns: block.coveredFromNs,
      covered_to_ns: block.coveredToNs,
      overflowed: block.overflowed,
      clock_stepped: block.clockStepped,
      flows: block.flows.map((flow) => ({
        flow: flow.flow,
        packets: flow.packets,
        l3_bytes: flow.l3Bytes,
        fragments: flow.fragments,
        out_of_guard: flow.outOfGuard,
      })),
    },
    (_key, value) => (typeof value === "bigint" ? jsonNumber(value) : value),
  );
}

function jsonNumber(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
}
