import { create } from "@bufbuild/protobuf";
import type { ReportPayload } from "@waymark/agent";
import {
  type FlowCount as FlowCountMessage,
  FlowCountSchema,
  LossBatchSchema,
  LossBlockSchema,
  PathPresenceSchema,
  PresenceSchema,
  PresenceState,
} from "@waymark/proto/report";
import type { Block } from "./block.ts";
import { type FlowRule, ruleHash } from "./flow-rule.ts";

/** A report stays below 64 KiB: so many octets of flows go into one part. */
const PART_BYTES = 56 * 1024;
/** Protobuf octets of a flow besides its name: five tags and lengths, four varints. */
const FLOW_OVERHEAD = 52;

/** A block as report payloads, in parts of at most about 56 KiB. At least one, also for a block without packets. */
export function lossPayloads(block: Block): ReportPayload[] {
  const parts = splitFlows(block);
  return parts.map((flows, part) => ({
    case: "loss",
    value: create(LossBatchSchema, {
      blocks: [
        create(LossBlockSchema, {
          path: block.path,
          blockNumber: block.blockNumber,
          intervalNs: block.intervalNs,
          guardNs: block.guardNs,
          coveredFromNs: block.coveredFromNs,
          coveredToNs: block.coveredToNs,
          ruleHash: block.ruleHash,
          part,
          parts: parts.length,
          overflowed: block.overflowed,
          clockStepped: block.clockStepped,
          flows,
          unmatchedFragments: block.unmatchedFragments,
          topDestinations: part === 0 ? [...block.topDestinations] : [],
        }),
      ],
    }),
  }));
}

function splitFlows(block: Block): FlowCountMessage[][] {
  const parts: FlowCountMessage[][] = [[]];
  let octets = 0;
  for (const flow of block.flows) {
    const size = flow.flow.length + FLOW_OVERHEAD;
    if (octets + size > PART_BYTES) {
      parts.push([]);
      octets = 0;
    }
    octets += size;
    parts.at(-1)?.push(create(FlowCountSchema, { ...flow }));
  }
  return parts;
}

/** Says that the measuring of `paths` begins or ends. */
export function presencePayload(
  state: "joined" | "left",
  atNs: bigint,
  intervalNs: bigint,
  paths: readonly string[],
  rules: readonly FlowRule[],
  perFlow: boolean,
): ReportPayload {
  return {
    case: "presence",
    value: create(PresenceSchema, {
      state: state === "joined" ? PresenceState.JOINED : PresenceState.LEFT,
      atNs,
      intervalNs,
      paths: paths.map((path) => {
        const own = rules.filter((rule) => rule.path === path);
        return create(PathPresenceSchema, { path, ruleHash: ruleHash(own, perFlow), flows: own.map((r) => r.flow) });
      }),
    }),
  };
}
