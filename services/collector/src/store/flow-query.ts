import type { Conditions } from "./conditions.ts";
import { SEEN_ON } from "./flow-columns.ts";
import { FLOW_IDENTITY, type FlowFilter, flowConditions } from "./flow-filter.ts";
import { type FlowKeyRow, flowKeyRow, integersOf } from "./flow-row.ts";
import { type GroupOrder, listRows, type Page, type RowPlace, rankedPage, type SumPlace, sumPage } from "./page.ts";
import type { SqlRow, Store } from "./store.ts";

/** Which records of tcflows to answer. */
export interface FlowQuestion extends FlowFilter {
  /** Whether sums take in what was counted on another interface of the same host. */
  readonly includeDuplicates: boolean;
}

/** What sums are ordered by; `time`: the oldest first, else the largest. */
export type SumOrder = "time" | "bytes" | "packets";

/** One record, or the sum of all records of a flow at one agent. */
export interface FlowRow {
  readonly flow: FlowKeyRow;
  readonly agent: string;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  readonly flowStartNs: bigint;
  readonly packets: bigint;
  readonly l3Bytes: bigint;
  readonly l2Bytes: bigint;
  readonly tcpFlags: number;
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly dscp: number;
  readonly endReason: number;
  readonly duplicate: boolean;
  readonly clockStepped: boolean;
  readonly records: bigint;
}

const ORDERS: Readonly<Record<SumOrder, string>> = {
  time: "first_ns",
  bytes: "sum_l3_bytes DESC",
  packets: "sum_packets DESC",
};

/** The order of the sums of flows, for tables that count them alike. */
export const FLOW_ORDERS: Readonly<Record<SumOrder, GroupOrder>> = {
  time: { id: "flow_id", by: "min(from_ns)", sum: ORDERS.time },
  bytes: { id: "flow_id", by: "sum(l3_bytes) DESC", sum: ORDERS.bytes },
  packets: { id: "flow_id", by: "sum(packets) DESC", sum: ORDERS.packets },
};

/** What the sums of flows are grouped by. */
export const FLOW_KEY = `agent, ${FLOW_IDENTITY}`;
/** What that needs beside the columns of tables of flows. */
export const FLOW_DERIVED = `${SEEN_ON} AS seen_on`;

/** Single records, oldest first. */
export function listFlowRecords(
  store: Store,
  question: FlowQuestion,
  limit: number,
  after: RowPlace | undefined,
): Promise<Page<FlowRow, RowPlace>> {
  return listRows(
    store,
    { table: "flow_record", columns: RECORD, conditions: flowConditions("record", question), limit, after },
    flowRow,
  );
}

const FLOW_SELECT = FLOW_IDENTITY.replace("seen_on", `${SEEN_ON} AS seen_on`);
const RECORD = `${FLOW_SELECT}, from_ns AS first_ns, to_ns AS last_ns, flow_start_ns AS start_ns,
  packets AS sum_packets, l3_bytes AS sum_l3_bytes, l2_bytes AS sum_l2_bytes, tcp_flags AS flags,
  source_mac AS from_mac, destination_mac AS to_mac, dscp AS latest_dscp, end_reason AS latest_end,
  duplicate AS is_duplicate, clock_stepped AS is_stepped, 1 AS records`;

// Single records in the order of their size.
const RECORDS_BY_SIZE = (conditions: Conditions, order: SumOrder) => `SELECT agent, ${RECORD} FROM flow_record
  WHERE ${conditions.sql} ORDER BY ${ORDERS[order]}, first_ns, agent, service, role, interface, boot_id, sequence, nth`;

const SUMS = `min(from_ns) AS first_ns, max(to_ns) AS last_ns, min(flow_start_ns) AS start_ns,
  sum(packets) AS sum_packets, sum(l3_bytes) AS sum_l3_bytes, sum(l2_bytes) AS sum_l2_bytes,
  groupBitOr(tcp_flags) AS flags, argMax(source_mac, to_ns) AS from_mac, argMax(destination_mac, to_ns) AS to_mac,
  argMax(dscp, to_ns) AS latest_dscp, argMax(end_reason, to_ns) AS latest_end, max(duplicate) AS is_duplicate, max(clock_stepped) AS is_stepped,
  count() AS records`;

/** The sums of all records of a flow, or single records in another order than that of time. */
export async function listFlowSums(
  store: Store,
  question: FlowQuestion,
  grouping: "records" | "flows",
  order: SumOrder,
  limit: number,
  place: SumPlace,
): Promise<Page<FlowRow, SumPlace>> {
  const conditions = sumConditions(question, grouping === "records", place);
  const flows = { table: "flow_record", derived: FLOW_DERIVED, key: FLOW_KEY, sums: SUMS, conditions };
  const sql =
    grouping === "records"
      ? `${RECORDS_BY_SIZE(conditions, order)} LIMIT ${limit + 1} OFFSET ${place.offset}`
      : rankedPage(flows, FLOW_ORDERS[order], limit, place);
  const rows = await store.query(sql, conditions.params);
  return sumPage(rows.map(flowRow), limit, place);
}

/** The conditions on what is summed up. */
export function sumConditions(question: FlowQuestion, withDuplicates: boolean, { asOfNs }: SumPlace): Conditions {
  const conditions = flowConditions("record", question).add("stored_ns <= {as_of:UInt64}", { as_of: asOfNs });
  const all = withDuplicates || question.includeDuplicates || question.interface !== "";
  return all ? conditions : conditions.add("NOT duplicate");
}

function flowRow(row: SqlRow): FlowRow {
  const integer = integersOf(row);
  return {
    flow: flowKeyRow(row),
    agent: String(row["agent"]),
    firstNs: integer("first_ns"),
    lastNs: integer("last_ns"),
    flowStartNs: integer("start_ns"),
    packets: integer("sum_packets"),
    l3Bytes: integer("sum_l3_bytes"),
    l2Bytes: integer("sum_l2_bytes"),
    tcpFlags: Number(row["flags"]),
    sourceMac: String(row["from_mac"]),
    destinationMac: String(row["to_mac"]),
    dscp: Number(row["latest_dscp"]),
    endReason: Number(row["latest_end"]),
    duplicate: Boolean(row["is_duplicate"]),
    clockStepped: Boolean(row["is_stepped"]),
    records: integer("records"),
  };
}
