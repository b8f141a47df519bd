import type { LossBatch, LossBlock } from "@waymark/proto/report";

const NO_BLOCK: Pick<LossBlock, "path" | "blockNumber" | "intervalNs" | "guardNs" | "coveredFromNs" | "coveredToNs"> &
  Pick<LossBlock, "ruleHash" | "part" | "parts" | "overflowed" | "clockStepped" | "unmatchedFragments" | "flows"> = {
  path: "",
  blockNumber: 0n,
  intervalNs: 0n,
  guardNs: 0n,
  coveredFromNs: 0n,
  coveredToNs: 0n,
  ruleHash: 0n,
  part: 0,
  parts: 0,
  overflowed: false,
  clockStepped: false,
  unmatchedFragments: 0n,
  flows: [],
};

/** One row per block. A report without blocks becomes one row without a path, so that its sequence is stored. */
export function lossRows({ blocks }: LossBatch): readonly string[] {
  return (blocks.length > 0 ? blocks : [NO_BLOCK]).map(lossValues);
}

function lossValues(block: typeof NO_BLOCK): string {
  let packets = 0n;
  let outOfGuard = 0n;
  for (const flow of block.flows) {
    packets += flow.packets;
    outOfGuard += flow.outOfGuard;
  }
  return [
    JSON.stringify(block.path),
    block.intervalNs,
    block.blockNumber,
    block.blockNumber * block.intervalNs,
    block.guardNs,
    block.coveredFromNs,
    block.coveredToNs,
    block.ruleHash,
    block.part,
    block.parts,
    block.overflowed,
    block.clockStepped,
    block.unmatchedFragments,
    packets,
    outOfGuard,
    JSON.stringify(block.flows.map(({ flow }) => flow)),
    `[${block.flows.map((flow) => flow.packets).join(",")}]`,
    `[${block.flows.map((flow) => flow.l3Bytes).join(",")}]`,
    `[${block.flows.map((flow) => flow.fragments).join(",")}]`,
  ].join(",");
}
