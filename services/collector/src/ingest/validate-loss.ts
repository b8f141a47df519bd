import { isIP } from "node:net";
import type { FlowCount, LossBatch, LossBlock } from "@waymark/proto/report";
import {
  MAX_BYTES,
  MAX_PACKETS,
  validateFlowName,
  validateInterval,
  validatePathName,
  validateTime,
} from "./fields.ts";
import { check } from "./refusal.ts";

const MAX_PARTS = 65_536;
const MAX_DESTINATIONS = 16;

/** @throws Refusal with the first thing that cannot be true */
export function validateLoss(batch: LossBatch, nowNs: bigint): void {
  for (const block of batch.blocks) validateBlock(block, nowNs);
}

function validateBlock(block: LossBlock, nowNs: bigint): void {
  validatePathName(block.path);
  validateInterval(block.intervalNs);
  const { intervalNs, guardNs, parts, part } = block;
  check(2n * guardNs < intervalNs, "block", `guard_ns ${guardNs} is not less than half the interval`);
  check(parts >= 1 && parts <= MAX_PARTS, "block", `parts ${parts} is not 1 to ${MAX_PARTS}`);
  check(part < parts, "block", `part ${part} is not less than parts ${parts}`);
  check(block.unmatchedFragments <= MAX_PACKETS, "block", "unmatched_fragments are more than any link carries");
  validateTimes(block, nowNs);
  validateDestinations(block.topDestinations);
  let packets = 0n;
  let bytes = 0n;
  const names = new Set<string>();
  for (const flow of block.flows) {
    validateFlow(flow);
    check(!names.has(flow.flow), "flow", "a flow is twice in one block");
    names.add(flow.flow);
    packets += flow.packets;
    bytes += flow.l3Bytes;
  }
  check(packets <= MAX_PACKETS && bytes <= MAX_BYTES, "flow", "a block counts more than any link carries");
}

function validateDestinations(addresses: readonly string[]): void {
  check(addresses.length <= MAX_DESTINATIONS, "block", `top_destinations are more than ${MAX_DESTINATIONS}`);
  for (const address of addresses) check(isIP(address) !== 0, "block", "a top destination is no IP address");
}

function validateTimes(block: LossBlock, nowNs: bigint): void {
  const { intervalNs, blockNumber, coveredFromNs, coveredToNs } = block;
  // Bounded first, so that the product is a time.
  check(blockNumber < 2n ** 63n / intervalNs, "block", `block_number ${blockNumber} is impossible`);
  const startNs = blockNumber * intervalNs;
  validateTime("the block's start", startNs, nowNs);
  validateTime("covered_from_ns", coveredFromNs, nowNs);
  validateTime("covered_to_ns", coveredToNs, nowNs);
  check(coveredFromNs <= coveredToNs, "block", "covered_from_ns is after covered_to_ns");
  // A stepped clock may have left its block behind; otherwise a block is watched about when it is.
  const near = coveredFromNs <= startNs + 2n * intervalNs && coveredToNs >= startNs - intervalNs;
  check(near || block.clockStepped, "block", `block_number ${blockNumber} is not when it was watched`);
}

function validateFlow(flow: FlowCount): void {
  validateFlowName(flow.flow);
  const { packets, l3Bytes, fragments, outOfGuard } = flow;
  check(packets <= MAX_PACKETS && l3Bytes <= MAX_BYTES, "flow", "a flow counts more than any link carries");
  check(fragments <= packets, "flow", `fragments ${fragments} are more than packets ${packets}`);
  check(outOfGuard <= packets, "flow", `out_of_guard ${outOfGuard} is more than packets ${packets}`);
}
