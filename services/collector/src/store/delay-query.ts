import { type AddressRange, Conditions } from "./conditions.ts";
import { addressOf, integersOf, optionalInteger } from "./flow-row.ts";
import type { Item } from "./kind-table.ts";
import { keyedPage, type Page, type RowPlace, type SumPlace, sumPage } from "./page.ts";
import { listSamples } from "./sample-page.ts";
import { dividedRounded, mergedDistribution, type StatisticsRow, statisticsRow } from "./statistics.ts";
import type { SqlRow, Store } from "./store.ts";

/** Which STAMP sessions to answer; what is empty, 0 or undefined does not filter. */
export interface SessionFilter {
  readonly agent: string;
  readonly interface: string;
  /** At either end. */
  readonly address: AddressRange | undefined;
  readonly senderAddress: AddressRange | undefined;
  readonly reflectorAddress: AddressRange | undefined;
  /** At either end. */
  readonly port: number;
  readonly ssid: number;
  /** What begins at or after this. */
  readonly fromNs: bigint;
  /** What begins before this. */
  readonly toNs: bigint;
}

/** A session as it is stored. */
export interface SessionRow {
  readonly senderAddress: string;
  readonly reflectorAddress: string;
  readonly senderPort: number;
  readonly reflectorPort: number;
  readonly ssid: number;
  readonly dscp: number;
  readonly authenticated: boolean;
  readonly stateful: boolean;
}

/** One of the ways that are timed. */
export const WAYS = ["forward", "backward", "round_trip"] as const;

/** See {@link WAYS}. */
export type Way = (typeof WAYS)[number];

/** How one way went. */
export interface WayRow {
  readonly delay: StatisticsRow;
  readonly jitterNs: bigint | undefined;
  readonly ipdvNs: bigint | undefined;
}

/** The merged summaries of one session. */
export interface DelayRow {
  readonly agent: string;
  readonly interface: string;
  readonly session: SessionRow;
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly sent: bigint;
  readonly received: bigint;
  readonly lost: bigint;
  readonly lostForward: bigint | undefined;
  readonly lostBackward: bigint | undefined;
  readonly duplicate: bigint;
  readonly reordered: bigint;
  readonly late: bigint;
  readonly waitNs: bigint;
  readonly errorNs: bigint | undefined;
  readonly synchronised: boolean;
  /** Those that were asked for. */
  readonly ways: Partial<Readonly<Record<Way, WayRow>>>;
  readonly residence: StatisticsRow | undefined;
}

/** One answered test packet. */
export interface DelaySampleRow {
  readonly agent: string;
  readonly session: SessionRow;
  readonly sequence: number;
  readonly atNs: bigint;
  readonly forwardNs: bigint;
  readonly backwardNs: bigint;
  readonly roundTripNs: bigint;
}

// Whether the reflector is stateful shows only in its answers.
const SESSION = "sender_address, reflector_address, sender_port, reflector_port, ssid, dscp, authenticated";

/** SQL of a sum that is known only if all its parts are. */
const knownSum = (column: string) => `if(countIf(${column} IS NULL) > 0, NULL, sum(${column}))`;

const waySums = (way: Way) => `${mergedDistribution(way)},
  argMax(${way}_jitter_ns, to_ns) AS ${way}_last_jitter,
  sumIf(${way}_count, ${way}_ipdv_ns IS NOT NULL) AS ${way}_weight,
  toString(sum(toInt128(${way}_ipdv_ns) * ${way}_count)) AS ${way}_weighted`;

/**
 * Summaries put together.
 *
 * @param ways what to answer of; the residence comes with the round trip
 * @param stepNs length of the windows of time; 0: the whole range is one
 */
export async function listDelays(
  store: Store,
  filter: SessionFilter,
  ways: readonly Way[],
  stepNs: bigint,
  limit: number,
  place: SumPlace,
): Promise<Page<DelayRow, SumPlace>> {
  const conditions = sessionConditions("summary", filter)
    .add("from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64}", { from_ns: filter.fromNs, to_ns: filter.toNs })
    .add("stored_ns <= {as_of:UInt64}", { as_of: place.asOfNs, step: stepNs === 0n ? 2n ** 63n : stepNs });
  const key = `window, agent, interface, ${SESSION}`;
  const timed = ways.map(waySums);
  if (ways.includes("round_trip")) timed.push(mergedDistribution("residence"));
  const derived = "intDiv(from_ns, {step:UInt64}) AS window";
  const sums = `max(stateful) AS is_stateful, min(from_ns) AS first_ns, max(to_ns) AS last_ns,
    sum(sent_packets) AS sum_sent, sum(received_packets) AS sum_received, sum(lost_packets) AS sum_lost,
    ${knownSum("lost_forward_packets")} AS sum_lost_forward,
    ${knownSum("lost_backward_packets")} AS sum_lost_backward, sum(duplicate_packets) AS sum_duplicate,
    sum(reordered_packets) AS sum_reordered, sum(late_packets) AS sum_late, max(wait_ns) AS longest_wait,
    if(countIf(error_ns IS NULL) > 0, NULL, max(error_ns)) AS largest_error,
    min(clocks_synchronised) AS all_synchronised, ${timed.join(", ")}`;
  const sql = keyedPage({ table: "delay_record", derived, key, sums, conditions }, limit, place);
  const rows = await store.query(sql, conditions.params);
  return sumPage(
    rows.map((row) => delayRow(row, ways)),
    limit,
    place,
  );
}

/** Single samples, oldest first. */
export function listDelaySamples(
  store: Store,
  filter: SessionFilter,
  limit: number,
  after: RowPlace | undefined,
): Promise<Page<DelaySampleRow, RowPlace>> {
  const question = {
    table: "delay_record",
    arrays: `sample_sequence AS number, sample_forward_ns AS forward, sample_backward_ns AS backward,
      sample_round_trip_ns AS round_trip`,
    columns: `${SESSION}, stateful AS is_stateful, number, forward, backward, round_trip`,
    conditions: () => sessionConditions("samples", filter),
    fromNs: filter.fromNs,
    toNs: filter.toNs,
  };
  return listSamples(store, question, limit, after, sampleRow);
}

function sessionConditions(item: Item, filter: SessionFilter): Conditions {
  const conditions = new Conditions()
    .add(`item = '${item}'`)
    .equal("agent", "agent", "String", filter.agent)
    .equal("interface", "interface", "String", filter.interface)
    .within("address", ["sender_address", "reflector_address"], filter.address)
    .within("sender", ["sender_address"], filter.senderAddress)
    .within("reflector", ["reflector_address"], filter.reflectorAddress)
    .equal("ssid", "ssid", "UInt16", filter.ssid);
  return filter.port === 0
    ? conditions
    : conditions.add("sender_port = {port:UInt16} OR reflector_port = {port:UInt16}", { port: filter.port });
}

function delayRow(row: SqlRow, ways: readonly Way[]): DelayRow {
  const integer = integersOf(row);
  return {
    agent: String(row["agent"]),
    interface: String(row["interface"]),
    session: sessionRow(row),
    fromNs: integer("first_ns"),
    toNs: integer("last_ns"),
    sent: integer("sum_sent"),
    received: integer("sum_received"),
    lost: integer("sum_lost"),
    lostForward: optionalInteger(row, "sum_lost_forward"),
    lostBackward: optionalInteger(row, "sum_lost_backward"),
    duplicate: integer("sum_duplicate"),
    reordered: integer("sum_reordered"),
    late: integer("sum_late"),
    waitNs: integer("longest_wait"),
    errorNs: optionalInteger(row, "largest_error"),
    synchronised: Boolean(row["all_synchronised"]),
    ways: Object.fromEntries(ways.map((way) => [way, wayRow(row, way)])),
    residence: ways.includes("round_trip") ? statisticsRow(row, "residence") : undefined,
  };
}

function wayRow(row: SqlRow, way: Way): WayRow {
  const weight = BigInt(String(row[`${way}_weight`]));
  return {
    delay: statisticsRow(row, way),
    jitterNs: optionalInteger(row, `${way}_last_jitter`),
    ipdvNs: weight === 0n ? undefined : dividedRounded(BigInt(String(row[`${way}_weighted`])), weight),
  };
}

function sessionRow(row: SqlRow): SessionRow {
  const number = (key: string) => Number(row[key]);
  return {
    senderAddress: addressOf(row["sender_address"]),
    reflectorAddress: addressOf(row["reflector_address"]),
    senderPort: number("sender_port"),
    reflectorPort: number("reflector_port"),
    ssid: number("ssid"),
    dscp: number("dscp"),
    authenticated: Boolean(row["authenticated"]),
    stateful: Boolean(row["is_stateful"]),
  };
}

function sampleRow(row: SqlRow): DelaySampleRow {
  const integer = integersOf(row);
  return {
    agent: String(row["agent"]),
    session: sessionRow(row),
    sequence: Number(row["number"]),
    atNs: integer("at_ns"),
    forwardNs: integer("forward"),
    backwardNs: integer("backward"),
    roundTripNs: integer("round_trip"),
  };
}
