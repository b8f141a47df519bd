import { SEEN_ON } from "./flow-columns.ts";
import { FLOW_ORDERS, type FlowQuestion, type FlowRow, type SumOrder, sumConditions } from "./flow-query.ts";
import { type FlowKeyRow, flowKeyRow, integersOf } from "./flow-row.ts";
import { type Page, rankedPage, type SumPlace, sumPage } from "./page.ts";
import type { SqlRow, Store } from "./store.ts";

/** Both directions of a connection: `forward` is the one that began first. */
export interface BiflowRow {
  readonly forward: FlowRow;
  readonly reverse: FlowRow | undefined;
}

const ORDERS: Readonly<Record<SumOrder, string>> = {
  time: "least(a_first_ns, b_first_ns)",
  bytes: "a_sum_l3_bytes + b_sum_l3_bytes DESC",
  packets: "a_sum_packets + b_sum_packets DESC",
};

// Both directions have one name: that of the direction whose source is the lesser end, as it was seen; the other is
// seen in the other direction of the same interface.
const NAMES = `${SEEN_ON} AS seen_on,
  (source_address, source_port) > (destination_address, destination_port) AS turned,
  if(turned, destination_address, source_address) AS low_address,
  if(turned, source_address, destination_address) AS high_address,
  if(turned, destination_port, source_port) AS low_port, if(turned, source_port, destination_port) AS high_port,
  if(turned AND direction != 0, 3 - direction, direction) AS low_direction`;
const NAME = `agent, seen_on, addressed, protocol, vlan_id, ether_type, overflow, icmp_id, low_address, high_address,
  low_port, high_port, low_direction`;
const side = (name: string, condition: string) => `
  countIf(${condition}) AS ${name}_records, minIf(from_ns, ${condition}) AS ${name}_min_ns,
  if(${name}_records = 0, 18446744073709551615, ${name}_min_ns) AS ${name}_first_ns,
  maxIf(to_ns, ${condition}) AS ${name}_last_ns, minIf(flow_start_ns, ${condition}) AS ${name}_start_ns,
  sumIf(packets, ${condition}) AS ${name}_sum_packets, sumIf(l3_bytes, ${condition}) AS ${name}_sum_l3_bytes,
  sumIf(l2_bytes, ${condition}) AS ${name}_sum_l2_bytes, groupBitOrIf(tcp_flags, ${condition}) AS ${name}_flags,
  argMaxIf(source_mac, to_ns, ${condition}) AS ${name}_from_mac,
  argMaxIf(destination_mac, to_ns, ${condition}) AS ${name}_to_mac,
  argMaxIf(dscp, to_ns, ${condition}) AS ${name}_latest_dscp,
  argMaxIf(end_reason, to_ns, ${condition}) AS ${name}_latest_end,
  maxIf(duplicate, ${condition}) AS ${name}_is_duplicate,
  maxIf(clock_stepped, ${condition}) AS ${name}_is_stepped,
  anyIf(icmp_type, ${condition}) AS ${name}_type, anyIf(icmp_code, ${condition}) AS ${name}_code`;

const SUMS = `${side("a", "NOT turned")}, ${side("b", "turned")}`;

/** Sums of both directions of each connection at one agent and interface. */
export async function listBiflows(
  store: Store,
  question: FlowQuestion,
  order: SumOrder,
  limit: number,
  place: SumPlace,
): Promise<Page<BiflowRow, SumPlace>> {
  const conditions = sumConditions(question, false, place);
  const connections = { table: "flow_record", derived: NAMES, key: NAME, sums: SUMS, conditions };
  const ranked = { ...FLOW_ORDERS[order], id: `cityHash64(${NAME})`, sum: ORDERS[order] };
  const sql = rankedPage(connections, ranked, limit, place);
  const rows = await store.query(sql, conditions.params);
  return sumPage(rows.map(biflowRow), limit, place);
}

function biflowRow(row: SqlRow): BiflowRow {
  const straight = sideRow(row, "a");
  const turned = sideRow(row, "b");
  if (turned.records === 0n) return { forward: straight, reverse: undefined };
  if (straight.records === 0n) return { forward: turned, reverse: undefined };
  return turned.flowStartNs < straight.flowStartNs
    ? { forward: turned, reverse: straight }
    : { forward: straight, reverse: turned };
}

function sideRow(row: SqlRow, name: "a" | "b"): FlowRow {
  const integer = integersOf(row);
  const text = (key: string) => String(row[`${name}_${key}`]);
  return {
    flow: sideKey(row, name),
    agent: String(row["agent"]),
    firstNs: integer(`${name}_first_ns`),
    lastNs: integer(`${name}_last_ns`),
    flowStartNs: integer(`${name}_start_ns`),
    packets: integer(`${name}_sum_packets`),
    l3Bytes: integer(`${name}_sum_l3_bytes`),
    l2Bytes: integer(`${name}_sum_l2_bytes`),
    tcpFlags: Number(text("flags")),
    sourceMac: text("from_mac"),
    destinationMac: text("to_mac"),
    dscp: Number(text("latest_dscp")),
    endReason: Number(text("latest_end")),
    duplicate: Boolean(row[`${name}_is_duplicate`]),
    clockStepped: Boolean(row[`${name}_is_stepped`]),
    records: integer(`${name}_records`),
  };
}

function sideKey(row: SqlRow, name: "a" | "b"): FlowKeyRow {
  const turned = name === "b";
  const [source, destination] = turned ? ["high", "low"] : ["low", "high"];
  const direction = Number(row["low_direction"]);
  return flowKeyRow({
    ...row,
    source_address: row[`${source}_address`],
    destination_address: row[`${destination}_address`],
    source_port: row[`${source}_port`],
    destination_port: row[`${destination}_port`],
    icmp_type: row[`${name}_type`],
    icmp_code: row[`${name}_code`],
    direction: turned && direction !== 0 ? 3 - direction : direction,
  });
}
