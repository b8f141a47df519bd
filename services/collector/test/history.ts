import { create } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@waymark/proto/report";
import { knownPayload } from "../src/ingest/kinds.ts";
import { reportRows, stampedText } from "../src/ingest/rows.ts";
import type { Store } from "../src/store/store.ts";

/** Ten seconds, the usual interval. */
export const L = 10_000_000_000n;

/** An agent in a history; every field has a usual value. */
export interface AgentFacts {
  readonly id: string;
  readonly role: "source" | "sink";
  readonly interface: string;
  readonly boot: string;
  readonly kernel: string;
  readonly synchronised: boolean;
  readonly trusted: boolean;
  readonly maxErrorNs: bigint;
  readonly offsetNs: bigint;
}

/** One flow's counters. */
export interface FlowFacts {
  readonly flow: string;
  readonly packets: bigint;
  readonly l3Bytes: bigint;
  readonly fragments: bigint;
  readonly outOfGuard: bigint;
}

/** One stored record of one block. */
export interface BlockFacts extends AgentFacts {
  readonly kind: "block";
  readonly path: string;
  readonly sequence: bigint;
  readonly storedNs: bigint;
  readonly intervalNs: bigint;
  readonly blockNumber: bigint;
  readonly guardNs: bigint;
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly ruleHash: bigint;
  readonly part: number;
  readonly parts: number;
  readonly overflowed: boolean;
  readonly stepped: boolean;
  readonly unmatched: bigint;
  readonly flows: readonly FlowFacts[];
}

/** One stored JOINED or LEFT. */
export interface PresenceFacts extends AgentFacts {
  readonly kind: "presence";
  readonly path: string;
  readonly sequence: bigint;
  readonly storedNs: bigint;
  readonly intervalNs: bigint;
  readonly joined: boolean;
  readonly atNs: bigint;
}

/** Anything that is stored. */
export type Fact = BlockFacts | PresenceFacts;

const AGENT: AgentFacts = {
  id: "left",
  role: "source",
  interface: "eth0",
  boot: "boot-1",
  kernel: "kernel-1",
  synchronised: true,
  trusted: false,
  maxErrorNs: 1_000_000n,
  offsetNs: 5_000_000n,
};

/** A flow of so many packets, 100 bytes each. */
export function flow(name: string, packets: bigint, more: Partial<FlowFacts> = {}): FlowFacts {
  return { flow: name, packets, l3Bytes: packets * 100n, fragments: 0n, outOfGuard: 0n, ...more };
}

let sequences = 0n;

/** A healthy record of one block, stored L/2 + 100 ms after its end, changed as the test needs it. */
export function block(role: "source" | "sink", blockNumber: bigint, more: Partial<BlockFacts> = {}): BlockFacts {
  const intervalNs = more.intervalNs ?? L;
  const startNs = blockNumber * intervalNs;
  sequences++;
  return {
    ...AGENT,
    role,
    id: role === "source" ? "left" : "right",
    kind: "block",
    path: "default",
    sequence: sequences,
    storedNs: startNs + intervalNs + intervalNs / 2n + 100_000_000n,
    intervalNs,
    blockNumber,
    guardNs: intervalNs / 4n,
    fromNs: startNs - intervalNs / 2n,
    toNs: startNs + intervalNs + intervalNs / 2n,
    ruleHash: 1n,
    part: 0,
    parts: 1,
    overflowed: false,
    stepped: false,
    unmatched: 0n,
    flows: [flow("default", 100n)],
    ...more,
  };
}

/** A JOINED or LEFT, stored when it happened. */
export function presence(
  role: "source" | "sink",
  joined: boolean,
  atNs: bigint,
  more: Partial<PresenceFacts> = {},
): PresenceFacts {
  sequences++;
  return {
    ...AGENT,
    role,
    id: role === "source" ? "left" : "right",
    kind: "presence",
    path: "default",
    sequence: sequences,
    storedNs: atNs,
    intervalNs: L,
    joined,
    atNs,
    ...more,
  };
}

/** A fact as the report that an agent would send. */
export function reportOf(fact: Fact): Report {
  return create(ReportSchema, {
    agent: { id: fact.id, service: "altmark", role: fact.role, interface: fact.interface, host: "host", version: "1" },
    bootId: fact.boot,
    kernelBootId: fact.kernel,
    sequence: fact.sequence,
    sentAtNs: fact.storedNs - fact.offsetNs,
    clock: { synchronised: fact.synchronised, trusted: fact.trusted, maxErrorNs: fact.maxErrorNs },
    counters: { no_match: 3n },
    payload:
      fact.kind === "presence"
        ? {
            case: "presence",
            value: {
              state: fact.joined ? 1 : 2,
              intervalNs: fact.intervalNs,
              atNs: fact.atNs,
              paths: [{ path: fact.path, ruleHash: 1n, flows: ["default"] }],
            },
          }
        : {
            case: "loss",
            value: {
              blocks: [
                {
                  path: fact.path,
                  blockNumber: fact.blockNumber,
                  intervalNs: fact.intervalNs,
                  guardNs: fact.guardNs,
                  coveredFromNs: fact.fromNs,
                  coveredToNs: fact.toNs,
                  ruleHash: fact.ruleHash,
                  part: fact.part,
                  parts: fact.parts,
                  overflowed: fact.overflowed,
                  clockStepped: fact.stepped,
                  unmatchedFragments: fact.unmatched,
                  flows: [...fact.flows],
                },
              ],
            },
          },
  });
}

/** Puts facts into the store as if they had been stored at their times. */
export async function storeFacts(store: Store, facts: readonly Fact[]): Promise<void> {
  for (const table of ["loss_record", "presence"] as const) {
    let body = "";
    let columns: readonly string[] = [];
    for (const fact of facts) {
      const report = reportOf(fact);
      const payload = knownPayload(report);
      if (payload === undefined) continue;
      const rows = reportRows(report, payload, fact.storedNs, fact.offsetNs);
      if (rows.table !== table) continue;
      columns = rows.columns;
      body += stampedText(rows, fact.storedNs);
    }
    if (body !== "") await store.insert({ table, columns, body: Buffer.from(body) });
  }
}
