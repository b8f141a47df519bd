import { SEEN_ON } from "./flow-columns.ts";
import { FLOW_IDENTITY, type FlowFilter, flowConditions } from "./flow-filter.ts";
import { FLOW_DERIVED, FLOW_KEY, FLOW_ORDERS, type SumOrder } from "./flow-query.ts";
import { type FlowKeyRow, flowKeyRow, integersOf, optionalInteger } from "./flow-row.ts";
import { listRows, type Page, ROW_IDENTITY, type RowPlace, rankedPage, type SumPlace, sumPage } from "./page.ts";
import type { SqlRow, Store } from "./store.ts";

/** One flow in one interval, or the sum of all its intervals. */
export interface ThroughputRow {
  readonly flow: FlowKeyRow;
  readonly agent: string;
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly packets: bigint;
  readonly l3Bytes: bigint;
  readonly payloadBytes: bigint;
  readonly goodputBytes: bigint;
  readonly gaps: bigint;
  readonly gapMeanNs: number | undefined;
  readonly gapStddevNs: number | undefined;
  readonly gapsInSuperPackets: bigint;
  readonly rtpJitterNs: bigint | undefined;
  readonly burst1msL3Bytes: bigint | undefined;
  readonly burst10msL3Bytes: bigint | undefined;
  readonly sequence: SequenceRow | undefined;
  readonly records: bigint;
}

/** What sequence numbers say. */
export interface SequenceRow {
  readonly current: bigint;
  readonly received: bigint;
  readonly reverseErrors: bigint;
  readonly smallErrors: bigint;
  readonly bigErrors: bigint;
  readonly duplicates: bigint;
  readonly reordered: bigint;
  readonly lost: bigint;
  readonly lossEpisodes: bigint;
  readonly recovered: bigint;
  readonly lossEpisodesChange: bigint;
  readonly restarts: bigint;
}

const FLOW_SELECT = FLOW_IDENTITY.replace("seen_on", `${SEEN_ON} AS seen_on`);

const RECORD = `${FLOW_SELECT}, from_ns AS first_ns, to_ns AS last_ns, packets AS sum_packets, l3_bytes AS sum_l3_bytes,
  payload_bytes AS sum_payload, goodput_bytes AS sum_goodput, gaps AS sum_gaps, gap_mean_ns AS mean_ns,
  gap_stddev_ns AS stddev_ns, gaps_in_super_packets AS sum_super, rtp_jitter_ns AS jitter_ns,
  burst_1ms_l3_bytes AS burst_1ms, burst_10ms_l3_bytes AS burst_10ms, sequenced AS has_sequence,
  current_sequence AS current, sequence_received AS received, reverse_errors AS reverse, small_errors AS small,
  big_errors AS big, sequence_duplicates AS duplicates, sequence_reordered AS reordered, sequence_lost AS lost,
  loss_episodes AS episodes, sequence_recovered AS recovered, loss_episodes_change AS episodes_change,
  sequence_restarts AS restarts, 1 AS records`;

// Mean and deviation of all gaps from those of the intervals: sums of n, n·mean and (n - 1)·s² + n·mean².
const SUMS = `min(from_ns) AS first_ns, max(to_ns) AS last_ns, sum(packets) AS sum_packets,
  sum(l3_bytes) AS sum_l3_bytes, sum(payload_bytes) AS sum_payload, sum(goodput_bytes) AS sum_goodput,
  sum(gaps) AS sum_gaps, sumIf(gaps, gap_mean_ns IS NOT NULL) AS known_gaps,
  sum(gaps * gap_mean_ns) / known_gaps AS mean_ns,
  countIf(gaps > 1 AND gap_stddev_ns IS NULL) AS unknown_spreads,
  sum(gaps * gap_mean_ns * gap_mean_ns + (greatest(gaps, 1) - 1) * ifNull(gap_stddev_ns, 0) * ifNull(gap_stddev_ns, 0))
    AS squares,
  if(known_gaps > 1 AND unknown_spreads = 0,
    sqrt(greatest(squares - known_gaps * mean_ns * mean_ns, 0) / (known_gaps - 1)), NULL) AS stddev_ns,
  sum(gaps_in_super_packets) AS sum_super, argMax(rtp_jitter_ns, to_ns) AS jitter_ns,
  max(burst_1ms_l3_bytes) AS burst_1ms, max(burst_10ms_l3_bytes) AS burst_10ms, max(sequenced) AS has_sequence,
  argMaxIf(current_sequence, to_ns, sequenced) AS current, sum(sequence_received) AS received,
  sum(reverse_errors) AS reverse, sum(small_errors) AS small, sum(big_errors) AS big,
  sum(sequence_duplicates) AS duplicates, sum(sequence_reordered) AS reordered, sum(sequence_lost) AS lost,
  sum(loss_episodes) AS episodes, sum(sequence_recovered) AS recovered,
  sum(loss_episodes_change) AS episodes_change, sum(sequence_restarts) AS restarts, count() AS records`;

/** Single records, oldest first. */
export function listThroughputRecords(
  store: Store,
  filter: FlowFilter,
  limit: number,
  after: RowPlace | undefined,
): Promise<Page<ThroughputRow, RowPlace>> {
  return listRows(
    store,
    { table: "throughput_record", columns: RECORD, conditions: flowConditions("record", filter), limit, after },
    throughputRow,
  );
}

/** The sums of all records of a flow, or single records in another order than that of time. */
export async function listThroughputSums(
  store: Store,
  filter: FlowFilter,
  grouping: "records" | "flows",
  order: SumOrder,
  limit: number,
  place: SumPlace,
): Promise<Page<ThroughputRow, SumPlace>> {
  const conditions = flowConditions("record", filter).add("stored_ns <= {as_of:UInt64}", { as_of: place.asOfNs });
  const records = `SELECT agent, ${RECORD} FROM throughput_record WHERE ${conditions.sql}
    ORDER BY ${FLOW_ORDERS[order].sum}, first_ns, ${ROW_IDENTITY} LIMIT ${limit + 1} OFFSET ${place.offset}`;
  const question = { table: "throughput_record", derived: FLOW_DERIVED, key: FLOW_KEY, sums: SUMS, conditions };
  const flows = rankedPage(question, FLOW_ORDERS[order], limit, place);
  const rows = await store.query(grouping === "records" ? records : flows, conditions.params);
  return sumPage(rows.map(throughputRow), limit, place);
}

function throughputRow(row: SqlRow): ThroughputRow {
  const integer = integersOf(row);
  return {
    flow: flowKeyRow(row),
    agent: String(row["agent"]),
    fromNs: integer("first_ns"),
    toNs: integer("last_ns"),
    packets: integer("sum_packets"),
    l3Bytes: integer("sum_l3_bytes"),
    payloadBytes: integer("sum_payload"),
    goodputBytes: integer("sum_goodput"),
    gaps: integer("sum_gaps"),
    gapMeanNs: optionalNumber(row, "mean_ns"),
    gapStddevNs: optionalNumber(row, "stddev_ns"),
    gapsInSuperPackets: integer("sum_super"),
    rtpJitterNs: optionalInteger(row, "jitter_ns"),
    burst1msL3Bytes: optionalInteger(row, "burst_1ms"),
    burst10msL3Bytes: optionalInteger(row, "burst_10ms"),
    sequence: row["has_sequence"] ? sequenceRow(integer) : undefined,
    records: integer("records"),
  };
}

function sequenceRow(integer: (name: string) => bigint): SequenceRow {
  return {
    current: integer("current"),
    received: integer("received"),
    reverseErrors: integer("reverse"),
    smallErrors: integer("small"),
    bigErrors: integer("big"),
    duplicates: integer("duplicates"),
    reordered: integer("reordered"),
    lost: integer("lost"),
    lossEpisodes: integer("episodes"),
    recovered: integer("recovered"),
    lossEpisodesChange: integer("episodes_change"),
    restarts: integer("restarts"),
  };
}

// NULL is unknown; so is what a division by nothing has given, which JSON has no number for.
function optionalNumber(row: SqlRow, name: string): number | undefined {
  const value = row[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
