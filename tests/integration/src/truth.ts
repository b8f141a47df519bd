import type { LossBlock } from "@waymark/proto/query";
import type { RouterLedger } from "@waymark/testkit";
import { isComplete } from "./suite.ts";

/** What the router and we agreed on. */
export interface Judged {
  /** Blocks that were compared and had packets. */
  readonly blocks: number;
  readonly dropped: bigint;
}

/**
 * Compares every block that is COMPLETE and that the router saw whole: sent, received and lost, over all flows, are the
 * router's, to the packet; and no block is there twice.
 */
export function expectTrue(blocks: readonly LossBlock[], ledger: RouterLedger): Judged {
  const names = blocks.map((block) => `${block.path} ${block.flow} ${block.blockNumber}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  const ours = sums(blocks.filter(isComplete));
  let judged: Judged = { blocks: 0, dropped: 0n };
  for (const [blockNumber, truth] of ledger.blocks) {
    const block = ours.get(blockNumber);
    if (!block) continue;
    expect({ blockNumber, ...block }).toEqual({
      blockNumber,
      sent: truth.seen,
      received: truth.seen - truth.dropped,
      lost: truth.dropped,
    });
    judged = { blocks: judged.blocks + (truth.seen > 0n ? 1 : 0), dropped: judged.dropped + truth.dropped };
  }
  return judged;
}

/** The blocks between the first and the last COMPLETE one are there and COMPLETE, all flows of them. */
export function expectCompleteBetween(blocks: readonly LossBlock[]): void {
  const complete = blocks.filter(isComplete).map((block) => block.blockNumber);
  const [first, last] = [complete[0] ?? 0n, complete.at(-1) ?? 0n];
  const between = blocks.filter((block) => block.blockNumber >= first && block.blockNumber <= last);
  expect(between.filter((block) => !isComplete(block))).toEqual([]);
  expect(new Set(between.map((block) => block.blockNumber)).size).toBe(Number(last - first + 1n));
}

function sums(blocks: readonly LossBlock[]) {
  const all = new Map<bigint, { sent: bigint; received: bigint; lost: bigint }>();
  for (const block of blocks) {
    const sum = all.get(block.blockNumber) ?? { sent: 0n, received: 0n, lost: 0n };
    all.set(block.blockNumber, {
      sent: sum.sent + block.sentPackets,
      received: sum.received + block.receivedPackets,
      lost: sum.lost + (block.lostPackets ?? 0n),
    });
  }
  return all;
}
