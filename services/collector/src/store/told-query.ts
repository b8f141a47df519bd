import type { BlockName } from "../block-set.ts";
import type { Announcement } from "../ingest/touched.ts";
import type { Store } from "./store.ts";

/** Blocks that a start looks at; of more, the latest ones. */
const MAX_BLOCKS = 50_000;
// The least time between a block's last possible decision and the end of its interval, beyond 4 intervals.
const SHORT_WAIT_NS = 10_000_000_000;

/** Until when changes have been told; undefined when that was never stored. */
export async function readToldNs(store: Store): Promise<bigint | undefined> {
  const [row] = await store.query("SELECT max(told_ns) AS told_ns, count() AS marks FROM told");
  return Number(row?.["marks"] ?? 0) === 0 ? undefined : BigInt(String(row?.["told_ns"]));
}

/** Stores that all changes until then have been told. */
export async function writeToldNs(store: Store, toldNs: bigint): Promise<void> {
  await store.insert({ table: "told", columns: ["told_ns"], body: Buffer.from(`[${toldNs}]\n`) });
}

/** What may have changed after `toldNs`. */
export interface Untold {
  /** Blocks with records that were stored afterwards. */
  readonly blocks: readonly BlockName[];
  /** Blocks whose time may have been up only afterwards. */
  readonly open: readonly BlockName[];
  readonly announced: readonly Announcement[];
}

/** Finds what may have changed after `toldNs`, the oldest first. */
export async function readUntold(store: Store, toldNs: bigint): Promise<Untold> {
  const rows = await store.query(
    `SELECT path, interval_ns, block_number, max(stored_ns) > {told_ns:UInt64} AS stored
    FROM loss_record
    WHERE path != '' AND (stored_ns > {told_ns:UInt64}
      OR start_ns + 4 * interval_ns + ${SHORT_WAIT_NS} > {told_ns:UInt64})
    GROUP BY path, interval_ns, block_number
    ORDER BY interval_ns * block_number DESC LIMIT ${MAX_BLOCKS}`,
    { told_ns: toldNs },
  );
  const presences = await store.query(
    `SELECT DISTINCT path, interval_ns, at_ns FROM presence WHERE stored_ns > {told_ns:UInt64}
    ORDER BY at_ns DESC LIMIT ${MAX_BLOCKS}`,
    { told_ns: toldNs },
  );
  const blocks: BlockName[] = [];
  const open: BlockName[] = [];
  for (const row of rows.reverse()) {
    const intervalNs = BigInt(String(row["interval_ns"]));
    const block = { path: String(row["path"]), intervalNs, blockNumber: BigInt(String(row["block_number"])) };
    (row["stored"] ? blocks : open).push(block);
  }
  const announced = presences.reverse().map((row) => ({
    path: String(row["path"]),
    intervalNs: BigInt(String(row["interval_ns"])),
    atNs: BigInt(String(row["at_ns"])),
  }));
  return { blocks, open, announced };
}
