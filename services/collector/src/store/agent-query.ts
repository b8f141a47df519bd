import { FACTS } from "./header.ts";
import { KIND_TABLES } from "./kind-tables.ts";
import type { SqlRow, Store } from "./store.ts";

/** An agent, by everything that it has reported. */
export interface AgentRow {
  readonly agent: string;
  readonly service: string;
  readonly role: string;
  readonly interface: string;
  readonly host: string;
  readonly version: string;
  readonly bootId: string;
  readonly kernelBootId: string;
  readonly firstSeenNs: bigint;
  readonly lastSeenNs: bigint;
  readonly synchronised: boolean;
  readonly trusted: boolean;
  readonly maxErrorNs: bigint;
  readonly estimatedErrorNs: bigint;
  readonly clockOffsetNs: bigint;
  readonly taiOffsetS: number;
  readonly counters: Readonly<Record<string, bigint>>;
  readonly lostReports: bigint;
  /** Two boots of it have watched at the same time. */
  readonly duplicate: boolean;
  /** Its latest boot has said that it ceases. */
  readonly left: boolean;
}

const BOOT = "agent, service, role, interface, boot_id";

// One row per boot and kind of report; all tables but `presence` are answered from their projections.
const REPORTED = `
  SELECT ${BOOT}, min(arrived_ns) AS first_ns, max(arrived_ns) AS last_ns,
    min(sequence) AS first_sequence, max(sequence) AS last_sequence, groupBitmap(sequence) AS reports,
    argMax(${FACTS}, sequence) AS facts, argMaxIf(counters, sequence, leading) AS latest_counters,
    min(covered_from_ns) AS watched_from_ns, max(covered_to_ns) AS watched_to_ns, false AS has_left
  FROM loss_record WHERE {agent:String} = '' OR agent = {agent:String} GROUP BY ${BOOT}
  UNION ALL
  SELECT ${BOOT}, min(arrived_ns) AS first_ns, max(arrived_ns) AS last_ns,
    min(sequence) AS first_sequence, max(sequence) AS last_sequence, groupBitmap(sequence) AS reports,
    argMax(${FACTS}, sequence) AS facts, argMaxIf(counters, sequence, leading) AS latest_counters,
    0 AS watched_from_ns, 0 AS watched_to_ns, countIf(NOT joined) > 0 AS has_left
  FROM presence WHERE {agent:String} = '' OR agent = {agent:String} GROUP BY ${BOOT}
  ${KIND_TABLES.map(
    ({ name }) => `UNION ALL
  SELECT ${BOOT}, min(arrived_ns) AS first_ns, max(arrived_ns) AS last_ns,
    min(sequence) AS first_sequence, max(sequence) AS last_sequence, groupBitmap(sequence) AS reports,
    argMax(${FACTS}, sequence) AS facts, argMaxIf(counters, sequence, leading) AS latest_counters,
    minIf(from_ns, from_ns > 0) AS watched_from_ns, max(to_ns) AS watched_to_ns, false AS has_left
  FROM ${name} WHERE {agent:String} = '' OR agent = {agent:String} GROUP BY ${BOOT}`,
  ).join(" ")}`;

const AGENTS = `
  SELECT agent, service, role, interface,
    argMax(boot_id, boot_last_ns) AS latest_boot, argMax(boot_facts, boot_last_ns) AS facts,
    argMax(boot_counters, boot_last_ns) AS latest_counters, argMax(boot_left, boot_last_ns) AS has_left,
    min(boot_first_ns) AS first_seen_ns, max(boot_last_ns) AS last_seen_ns, sum(boot_lost) AS lost,
    groupArrayIf((boot_from_ns, boot_to_ns), boot_to_ns > 0) AS spans, arrayEnumerate(spans) AS nth,
    arrayExists((x, i) -> arrayExists((y, j) -> j > i AND x.1 < y.2 AND y.1 < x.2, spans, nth), spans, nth)
      AS duplicate
  FROM (
    SELECT ${BOOT}, min(first_ns) AS boot_first_ns, max(last_ns) AS boot_last_ns,
      argMax(r.facts, last_ns) AS boot_facts, argMax(r.latest_counters, last_ns) AS boot_counters,
      max(has_left) AS boot_left,
      sum(toInt64(last_sequence) - if(first_ns > {kept_from_ns:UInt64}, 0, toInt64(first_sequence) - 1)
        - toInt64(reports)) AS boot_lost,
      minIf(watched_from_ns, watched_from_ns > 0) AS boot_from_ns, max(watched_to_ns) AS boot_to_ns
    FROM (${REPORTED}) AS r
    GROUP BY ${BOOT}
  )
  GROUP BY agent, service, role, interface`;

/** A page of agents, ordered by id, service, role and interface. */
export interface AgentPage {
  readonly items: readonly AgentRow[];
  readonly next: readonly string[] | undefined;
}

/**
 * @param keptFromNs reports of boots that began before this may have been dropped by the retention already, and do not
 *   count as lost
 * @param agent only this agent id; empty: all
 * @param after (id, service, role, interface) of the last agent of the page before
 */
export async function listAgents(
  store: Store,
  keptFromNs: bigint,
  agent: string,
  limit: number,
  after: readonly string[] = ["", "", "", ""],
): Promise<AgentPage> {
  const [id = "", service = "", role = "", name = ""] = after;
  const rows = await store.query(
    `SELECT * FROM (${AGENTS})
    WHERE (agent, service, role, interface) > ({id:String}, {service:String}, {role:String}, {interface:String})
    ORDER BY agent, service, role, interface LIMIT ${limit + 1}`,
    { kept_from_ns: keptFromNs, agent, id, service, role, interface: name },
  );
  const items = rows.slice(0, limit).map(agentRow);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, next: last && [last.agent, last.service, last.role, last.interface] };
}

function agentRow(row: SqlRow): AgentRow {
  const text = (key: string) => String(row[key]);
  const [host, version, kernel, synchronised, trusted, maxError, estimatedError, offset, tai] = row[
    "facts"
  ] as unknown[];
  const counters = Object.entries(row["latest_counters"] as Record<string, string>);
  return {
    agent: text("agent"),
    service: text("service"),
    role: text("role"),
    interface: text("interface"),
    host: String(host),
    version: String(version),
    bootId: text("latest_boot"),
    kernelBootId: String(kernel),
    firstSeenNs: BigInt(text("first_seen_ns")),
    lastSeenNs: BigInt(text("last_seen_ns")),
    synchronised: Boolean(synchronised),
    trusted: Boolean(trusted),
    maxErrorNs: BigInt(String(maxError)),
    estimatedErrorNs: BigInt(String(estimatedError)),
    clockOffsetNs: BigInt(String(offset)),
    taiOffsetS: Number(tai),
    counters: Object.fromEntries(counters.map(([name, value]) => [name, BigInt(value)])),
    lostReports: BigInt(text("lost")),
    duplicate: Boolean(row["duplicate"]),
    left: Boolean(row["has_left"]),
  };
}
