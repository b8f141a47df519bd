import type { LossBlock, Presence, Report } from "@waymark/proto/report";
import { PresenceState } from "@waymark/proto/report";
import { LOSS_RECORD_COLUMNS, PRESENCE_COLUMNS } from "../store/schema.ts";

/** A block that a report says something about. */
export interface TouchedBlock {
  readonly path: string;
  readonly intervalNs: bigint;
  readonly blockNumber: bigint;
}

/** Where a JOINED or LEFT changes who is expected. */
export interface Announcement {
  readonly path: string;
  readonly intervalNs: bigint;
  readonly atNs: bigint;
}

/** One report as rows for one table. */
export interface ReportRows {
  readonly table: "loss_record" | "presence";
  readonly columns: readonly string[];
  /** Each an open JSON array without its last value, the time of storing. */
  readonly rows: readonly string[];
  /** Characters in `rows`. */
  readonly size: number;
  readonly blocks: readonly TouchedBlock[];
  readonly announced: readonly Announcement[];
}

// Beyond any clock's error, and small enough that two of them add up.
const MAX_CLOCK_ERROR_NS = 2n ** 62n;
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

/**
 * The rows of a valid report. A report without blocks becomes one row without a path, so that its sequence is stored.
 *
 * @param arrivedNs when it reached the collector or the broker
 * @param clockOffsetNs the collector's clock minus the agent's
 */
export function reportRows(report: Report, arrivedNs: bigint, clockOffsetNs: bigint): ReportRows {
  const header = headerOf(report, arrivedNs, clockOffsetNs);
  const counters = countersOf(report);
  if (report.payload.case === "presence") return presenceRows(header, counters, report.payload.value);
  const blocks = report.payload.case === "loss" ? report.payload.value.blocks : [];
  const rows = (blocks.length > 0 ? blocks : [NO_BLOCK]).map(
    (block, index) => `${header},${index === 0 ? `true,${counters}` : "false,{}"},${lossValues(block)}`,
  );
  return {
    table: "loss_record",
    columns: LOSS_RECORD_COLUMNS,
    rows,
    size: sizeOf(rows),
    blocks: blocks.map(({ path, intervalNs, blockNumber }) => ({ path, intervalNs, blockNumber })),
    announced: [],
  };
}

function presenceRows(header: string, counters: string, presence: Presence): ReportRows {
  const joined = presence.state === PresenceState.JOINED;
  const rows = presence.paths.map(({ path, ruleHash, flows }, index) =>
    [
      header,
      index === 0 ? `true,${counters}` : "false,{}",
      JSON.stringify(path),
      presence.intervalNs,
      presence.atNs,
      joined,
      ruleHash,
      JSON.stringify(flows),
    ].join(","),
  );
  return {
    table: "presence",
    columns: PRESENCE_COLUMNS,
    rows,
    size: sizeOf(rows),
    blocks: [],
    announced: presence.paths.map(({ path }) => ({ path, intervalNs: presence.intervalNs, atNs: presence.atNs })),
  };
}

function headerOf(report: Report, arrivedNs: bigint, clockOffsetNs: bigint): string {
  const { agent, clock } = report;
  const texts = [agent?.id, agent?.service, agent?.role, agent?.interface, agent?.host, agent?.version]
    .concat(report.bootId, report.kernelBootId)
    .map((text) => JSON.stringify(text ?? ""));
  const error = clock?.maxErrorNs ?? MAX_CLOCK_ERROR_NS;
  const estimated = clock?.estimatedErrorNs ?? MAX_CLOCK_ERROR_NS;
  return `[${[
    ...texts,
    report.sequence,
    report.sentAtNs,
    arrivedNs,
    clockOffsetNs,
    clock?.synchronised ?? false,
    clock?.trusted ?? false,
    error < MAX_CLOCK_ERROR_NS ? error : MAX_CLOCK_ERROR_NS,
    estimated < MAX_CLOCK_ERROR_NS ? estimated : MAX_CLOCK_ERROR_NS,
    clock?.taiOffsetS ?? 0,
  ].join(",")}`;
}

function countersOf(report: Report): string {
  const entries = Object.entries(report.counters);
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
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

function sizeOf(rows: readonly string[]): number {
  return rows.reduce((sum, row) => sum + row.length, 0);
}
