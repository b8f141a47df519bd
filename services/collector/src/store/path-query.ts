import type { SqlRow, Store } from "./store.ts";

/** An agent that measures a path. */
export interface PointRow {
  readonly agent: string;
  readonly role: string;
  readonly interface: string;
  readonly intervalNs: bigint;
  readonly lastSeenNs: bigint;
  /** It has reported its latest block in time and has not left. */
  readonly live: boolean;
}

/** A path and who measures it. */
export interface PathRow {
  readonly path: string;
  readonly points: readonly PointRow[];
  readonly flows: readonly string[];
  /** A sink has counted a marked packet since the latest of those that measure it now began. */
  readonly confirmed: boolean;
}

/** A page of paths by name. */
export interface PathPage {
  readonly items: readonly PathRow[];
  readonly next: string | undefined;
}

/** Flows named of one path. */
const MAX_FLOWS = 1000;
// Flows are those of the latest blocks.
const RECENT_BLOCKS = 10n;
// Who has reported in none of the latest blocks does not measure the path any more.
const EXPECTED_BLOCKS = 3;
const POINT = "path, agent, role, interface";

const POINTS = `
  SELECT ${POINT}, argMax(length_ns, at_ns) AS interval_ns, max(seen_ns) AS last_seen_ns, max(at_ns) AS latest_ns,
    max(left_ns) AS gone_ns, max(counted_ns) AS last_counted_ns,
    minIf(first_ns, first_ns > 0) AS first_record_ns, max(record_ns) AS last_record_ns
  FROM (
    SELECT ${POINT}, max(interval_ns) AS length_ns, max(start_ns) AS at_ns, max(arrived_ns) AS seen_ns,
      0 AS left_ns, maxIf(start_ns, packets > 0) AS counted_ns, min(start_ns) AS first_ns, max(start_ns) AS record_ns
    FROM loss_record WHERE path != '' AND ({path:String} = '' OR path = {path:String})
    GROUP BY ${POINT}, boot_id, intDiv(start_ns, 3600000000000)
    UNION ALL
    SELECT ${POINT}, argMax(p.interval_ns, p.at_ns) AS length_ns, maxIf(p.at_ns, joined) AS at_ns,
      max(arrived_ns) AS seen_ns, maxIf(p.at_ns, NOT joined) AS left_ns, 0 AS counted_ns, 0 AS first_ns,
      0 AS record_ns
    FROM presence AS p WHERE {path:String} = '' OR path = {path:String}
    GROUP BY ${POINT}
  )
  GROUP BY ${POINT}`;

/**
 * @param path only this path; empty: all
 * @param after the last path of the page before
 */
export async function listPaths(
  store: Store,
  nowNs: bigint,
  path: string,
  limit: number,
  after = "",
): Promise<PathPage> {
  const rows = await store.query(
    `SELECT path, max(latest_ns) AS newest_ns, min(interval_ns) AS shortest_ns, max(last_record_ns) AS newest_record_ns,
      maxIf(last_counted_ns, role = 'sink') AS counted_ns,
      arrayMax(arrayMap(r -> if(r.2 + ${EXPECTED_BLOCKS} * r.3 >= newest_record_ns, r.1, 0),
        groupArray((first_record_ns, last_record_ns, interval_ns)))) AS complete_since_ns,
      newest_record_ns > 0 AND counted_ns > 0 AND counted_ns >= complete_since_ns AS confirmed,
      arraySort(groupArray((agent, role, interface, interval_ns, last_seen_ns, latest_ns, gone_ns))) AS points
    FROM (${POINTS}) WHERE path > {after:String}
    GROUP BY path ORDER BY path LIMIT ${limit + 1}`,
    { path, after },
  );
  const page = rows.slice(0, limit);
  const flows = await flowsOf(store, page);
  const items = page.map((row) => ({
    path: String(row["path"]),
    points: (row["points"] as unknown[][]).map((point) => pointRow(point, nowNs)),
    flows: flows.get(String(row["path"])) ?? [],
    confirmed: Boolean(row["confirmed"]),
  }));
  return { items, next: rows.length > limit ? items.at(-1)?.path : undefined };
}

function pointRow(point: readonly unknown[], nowNs: bigint): PointRow {
  const [agent, role, name, interval, lastSeen, latest, gone] = point.map(String);
  const intervalNs = BigInt(interval ?? 0);
  const latestNs = BigInt(latest ?? 0);
  // The next block's end, and the time that its report may take.
  const overdueNs = latestNs + 4n * intervalNs + (intervalNs > 5_000_000_000n ? intervalNs : 10_000_000_000n);
  return {
    agent: agent ?? "",
    role: role ?? "",
    interface: name ?? "",
    intervalNs,
    lastSeenNs: BigInt(lastSeen ?? 0),
    live: nowNs < overdueNs && BigInt(gone ?? 0) < latestNs,
  };
}

async function flowsOf(store: Store, paths: readonly SqlRow[]): Promise<Map<string, readonly string[]>> {
  const flows = new Map<string, readonly string[]>();
  const since = paths.map(
    (row) => BigInt(String(row["newest_ns"])) - RECENT_BLOCKS * BigInt(String(row["shortest_ns"])),
  );
  if (since.length === 0) return flows;
  const earliest = since.reduce((least, ns) => (ns < least ? ns : least));
  const found = await store.query(
    `SELECT path, arraySort(groupUniqArrayArray(${MAX_FLOWS})(names)) AS flows
    FROM (
      SELECT path, flow_names AS names FROM loss_record
      WHERE path IN {paths:Array(String)} AND start_ns >= {since:UInt64}
      UNION ALL
      SELECT path, flow_names AS names FROM presence WHERE path IN {paths:Array(String)} AND at_ns >= {since:UInt64}
    )
    GROUP BY path`,
    { paths: paths.map((row) => String(row["path"])), since: earliest < 0n ? 0n : earliest },
  );
  for (const row of found) flows.set(String(row["path"]), (row["flows"] as unknown[]).map(String));
  return flows;
}
