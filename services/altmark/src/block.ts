/** One flow's count in one block. Wire packets, L3 bytes. */
export interface FlowCount {
  readonly flow: string;
  readonly packets: bigint;
  readonly l3Bytes: bigint;
  readonly fragments: bigint;
  readonly outOfGuard: bigint;
}

/** What an end counted of a path in a block. Times in nanoseconds since the Unix epoch. */
export interface Block {
  readonly path: string;
  readonly blockNumber: bigint;
  readonly intervalNs: bigint;
  readonly guardNs: bigint;
  readonly coveredFromNs: bigint;
  readonly coveredToNs: bigint;
  readonly ruleHash: bigint;
  readonly overflowed: boolean;
  readonly clockStepped: boolean;
  /** Source without rules: where sampled packets went, the most frequent first. */
  readonly topDestinations: readonly string[];
  /** Sink: marked fragments that match no rule of any path. */
  readonly unmatchedFragments: bigint;
  readonly flows: readonly FlowCount[];
}

export type Role = "source" | "sink";

/** 0 or 1: what the block's packets were marked with. */
export function colourOf(blockNumber: bigint): 0 | 1 {
  return (blockNumber & 1n) === 1n ? 1 : 0;
}

/** Nanoseconds since the Unix epoch when `blockNumber` begins. */
export function blockStart(blockNumber: bigint, intervalNs: bigint): bigint {
  return blockNumber * intervalNs;
}

/** The sum over a block's flows. */
export function blockPackets(block: Pick<Block, "flows">): bigint {
  return block.flows.reduce((sum, flow) => sum + flow.packets, 0n);
}

/**
 * What an end that watches from `attachedNs` to `detachedNs` saw of a block: the source the block itself, the sink also
 * half an interval on both sides, where late and early packets of it may arrive. Empty (from = to) when nothing.
 */
export function coverage(
  role: Role,
  blockNumber: bigint,
  intervalNs: bigint,
  attachedNs: bigint,
  detachedNs: bigint,
): { readonly fromNs: bigint; readonly toNs: bigint } {
  const margin = role === "sink" ? intervalNs / 2n : 0n;
  const start = blockStart(blockNumber, intervalNs);
  const fromNs = max(start - margin, attachedNs);
  return { fromNs, toNs: max(fromNs, min(start + intervalNs + margin, detachedNs)) };
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
