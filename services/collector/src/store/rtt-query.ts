import type { Conditions } from "./conditions.ts";
import { SEEN_ON } from "./flow-columns.ts";
import { FLOW_IDENTITY, type FlowFilter, flowConditions, flowIdentityConditions } from "./flow-filter.ts";
import { type FlowKeyRow, flowKeyRow, integersOf } from "./flow-row.ts";
import { keyedPage, listRows, type Page, type RowPlace, type SumPlace, sumPage } from "./page.ts";
import { listSamples } from "./sample-page.ts";
import { mergedDistribution, type StatisticsRow, statisticsRow } from "./statistics.ts";
import type { SqlRow, Store } from "./store.ts";

/** Which round-trip times of pping to answer. */
export interface RttFilter extends FlowFilter {
  /** 0: all. */
  readonly method: number;
  /** The near side, the far one, or undefined for both. */
  readonly local: boolean | undefined;
}

/** The merged summaries of one flow or prefix, method and side. */
export interface RttRow {
  readonly agent: string;
  /** Undefined for a prefix. */
  readonly flow: FlowKeyRow | undefined;
  readonly interface: string;
  /** Empty for a flow. */
  readonly prefix: string;
  readonly method: number;
  readonly local: boolean;
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly rtt: StatisticsRow;
  readonly sentPackets: bigint;
  readonly sentL3Bytes: bigint;
  readonly receivedPackets: bigint;
  readonly receivedL3Bytes: bigint;
  readonly measurablePackets: bigint;
}

/** One round-trip time. */
export interface RttSampleRow {
  readonly agent: string;
  readonly flow: FlowKeyRow;
  readonly atNs: bigint;
  readonly rttNs: bigint;
  readonly method: number;
  readonly local: boolean;
  readonly confidencePermille: number;
}

/** A flow that opened or closed. */
export interface FlowEventRow {
  readonly agent: string;
  readonly flow: FlowKeyRow;
  readonly atNs: bigint;
  readonly kind: number;
  readonly reason: string;
  readonly triggeredBy: string;
}

const FLOW_SELECT = FLOW_IDENTITY.replace("seen_on", `${SEEN_ON} AS seen_on`);

/**
 * Summaries put together.
 *
 * @param prefix only this one; empty: all
 * @param stepNs length of the windows of time; 0: the whole range is one
 */
export async function listRtt(
  store: Store,
  filter: RttFilter,
  prefix: string,
  stepNs: bigint,
  limit: number,
  place: SumPlace,
): Promise<Page<RttRow, SumPlace>> {
  const conditions = rttConditions(flowConditions("summary", filter), filter)
    .equal("prefix", "prefix", "String", prefix)
    .add("stored_ns <= {as_of:UInt64}", { as_of: place.asOfNs, step: stepNs === 0n ? 2n ** 63n : stepNs });
  const key = `window, agent, prefix, ${FLOW_IDENTITY}, method, local`;
  const derived = `intDiv(from_ns, {step:UInt64}) AS window, ${SEEN_ON} AS seen_on`;
  const sums = `min(from_ns) AS first_ns, max(to_ns) AS last_ns, ${mergedDistribution("rtt")},
    sum(sent_packets) AS sum_sent, sum(sent_l3_bytes) AS sum_sent_bytes, sum(received_packets) AS sum_received,
    sum(received_l3_bytes) AS sum_received_bytes, sum(measurable_packets) AS sum_measurable`;
  const sql = keyedPage({ table: "rtt_record", derived, key, sums, conditions }, limit, place);
  const rows = await store.query(sql, conditions.params);
  return sumPage(rows.map(rttRow), limit, place);
}

/** Single samples, oldest first. */
export function listRttSamples(
  store: Store,
  filter: RttFilter,
  limit: number,
  after: RowPlace | undefined,
): Promise<Page<RttSampleRow, RowPlace>> {
  const question = {
    table: "rtt_record",
    arrays: "sample_rtt_ns AS rtt, sample_confidence_permille AS confidence",
    columns: `${FLOW_SELECT}, method, local, rtt, confidence`,
    conditions: () => rttConditions(flowIdentityConditions("samples", filter), filter),
    fromNs: filter.fromNs,
    toNs: filter.toNs,
  };
  return listSamples(store, question, limit, after, sampleRow);
}

/** Single events, oldest first. */
export function listFlowEvents(
  store: Store,
  filter: FlowFilter,
  limit: number,
  after: RowPlace | undefined,
): Promise<Page<FlowEventRow, RowPlace>> {
  const columns = `${FLOW_SELECT}, event, reason, triggered_by`;
  const conditions = flowConditions("event", filter);
  return listRows(store, { table: "rtt_record", columns, conditions, limit, after }, eventRow);
}

function rttConditions(conditions: Conditions, { method, local }: RttFilter): Conditions {
  conditions.equal("method", "method", "UInt8", method);
  return local === undefined ? conditions : conditions.add("local = {local:Bool}", { local });
}

function rttRow(row: SqlRow): RttRow {
  const integer = integersOf(row);
  const prefix = String(row["prefix"]);
  const flow = flowKeyRow(row);
  return {
    agent: String(row["agent"]),
    flow: prefix === "" ? flow : undefined,
    interface: flow.interface,
    prefix,
    method: Number(row["method"]),
    local: Boolean(row["local"]),
    fromNs: integer("first_ns"),
    toNs: integer("last_ns"),
    rtt: statisticsRow(row, "rtt"),
    sentPackets: integer("sum_sent"),
    sentL3Bytes: integer("sum_sent_bytes"),
    receivedPackets: integer("sum_received"),
    receivedL3Bytes: integer("sum_received_bytes"),
    measurablePackets: integer("sum_measurable"),
  };
}

function sampleRow(row: SqlRow): RttSampleRow {
  const integer = integersOf(row);
  return {
    agent: String(row["agent"]),
    flow: flowKeyRow(row),
    atNs: integer("at_ns"),
    rttNs: integer("rtt"),
    method: Number(row["method"]),
    local: Boolean(row["local"]),
    confidencePermille: Number(row["confidence"]),
  };
}

function eventRow(row: SqlRow): FlowEventRow {
  return {
    agent: String(row["agent"]),
    flow: flowKeyRow(row),
    atNs: BigInt(String(row["from_ns"])),
    kind: Number(row["event"]),
    reason: String(row["reason"]),
    triggeredBy: String(row["triggered_by"]),
  };
}
