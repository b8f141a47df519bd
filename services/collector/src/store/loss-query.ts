import type { LossRow } from "../verdict.ts";
import { LOSS_ROW_COLUMNS, lossRow } from "./loss-row.ts";
import { lossRule } from "./loss-view.ts";
import type { SqlParams, Store } from "./store.ts";

/** Which blocks to answer; an empty text does not filter. */
export interface LossFilter {
  readonly path: string;
  readonly flow: string;
  readonly agent: string;
  /** Blocks that start at or after this. */
  readonly fromNs: bigint;
  /** Blocks that start before this. */
  readonly toNs: bigint;
}

/** The place of a row in the answer: oldest first, then path, interval and flow. */
export interface LossCursor {
  readonly startNs: bigint;
  readonly path: string;
  readonly intervalNs: bigint;
  readonly flow: string;
}

/** Rows in order, and where to go on if there are more. */
export interface LossPage {
  readonly rows: readonly LossRow[];
  readonly next: LossCursor | undefined;
}

/** Later than any block: the year 2262. */
export const END_OF_TIME_NS = 2n ** 63n - 1n;

// Records looked at to find out how far a page may reach.
const RECORDS_A_ROW = 4;
// A slice with fewer rows costs the same: most of a query's time is its planning.
const MIN_SLICE_ROWS = 256;

/**
 * One page of the loss view. The view is evaluated for a slice of time at a time, just long enough for the page, so
 * that the cost follows the page and not the store.
 *
 * @param nowNs as of when
 * @param limit rows, at least 1
 * @param after the last row of the page before
 */
export async function listLoss(
  store: Store,
  nowNs: bigint,
  filter: LossFilter,
  limit: number,
  after?: LossCursor,
): Promise<LossPage> {
  const rows: LossRow[] = [];
  let fromNs = after !== undefined && after.startNs > filter.fromNs ? after.startNs : filter.fromNs;
  while (rows.length <= limit && fromNs < filter.toNs) {
    const toNs = await sliceEnd(store, { ...filter, fromNs }, Math.max(limit + 1 - rows.length, MIN_SLICE_ROWS));
    if (toNs === undefined) break;
    rows.push(...(await slice(store, nowNs, { ...filter, fromNs, toNs }, limit + 1 - rows.length, after)));
    fromNs = toNs;
  }
  if (rows.length <= limit) return { rows, next: undefined };
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, next: last && cursorOf(last) };
}

/** Where a row is in the order. */
export function cursorOf({ startNs, path, intervalNs, flow }: LossRow): LossCursor {
  return { startNs, path, intervalNs, flow };
}

// The end of a slice of time that holds about `wanted` rows; undefined when nothing is left.
async function sliceEnd(store: Store, filter: LossFilter, wanted: number): Promise<bigint | undefined> {
  const limit = RECORDS_A_ROW * wanted;
  const records = await store.query(
    `SELECT start_ns, path, interval_ns, length(flow_names) AS flows
    FROM loss_record
    WHERE path != '' AND start_ns >= {from_ns:UInt64} AND start_ns < {to_ns:UInt64}
      AND ({path:String} = '' OR path = {path:String})
      AND ({agent:String} = '' OR agent = {agent:String})
      AND ({flow:String} = '' OR has(flow_names, {flow:String}) OR ({flow:String} = 'other' AND overflowed))
    ORDER BY start_ns LIMIT ${limit}`,
    params(filter),
  );
  const flows = new Map<string, number>();
  let sum = 0;
  for (const record of records) {
    const startNs = BigInt(String(record["start_ns"]));
    const block = `${startNs}/${record["interval_ns"]}/${record["path"]}`;
    const known = flows.get(block) ?? 0;
    const count = filter.flow === "" ? Number(record["flows"]) : 1;
    if (count <= known) continue;
    flows.set(block, count);
    sum += count - known;
    if (sum >= wanted) return startNs + 1n;
  }
  if (records.length < limit) return records.length === 0 ? undefined : filter.toNs;
  return BigInt(String(records.at(-1)?.["start_ns"])) + 1n;
}

async function slice(
  store: Store,
  nowNs: bigint,
  filter: LossFilter,
  limit: number,
  after: LossCursor | undefined,
): Promise<LossRow[]> {
  const behind = after ?? { startNs: 0n, path: "", intervalNs: 0n, flow: "" };
  const rows = await store.query(
    `SELECT ${LOSS_ROW_COLUMNS}
    FROM (${lossRule()})
    WHERE ({flow:String} = '' OR flow = {flow:String}) AND ({agent:String} = '' OR has(agents, {agent:String}))
      AND (start_ns, path, interval_ns, flow)
        > ({after_start:UInt64}, {after_path:String}, {after_interval:UInt64}, {after_flow:String})
    ORDER BY start_ns, path, interval_ns, flow LIMIT ${limit}`,
    {
      ...params(filter),
      now_ns: nowNs,
      after_start: behind.startNs,
      after_path: behind.path,
      after_interval: behind.intervalNs,
      after_flow: behind.flow,
    },
  );
  return rows.map(lossRow);
}

function params({ path, flow, agent, fromNs, toNs }: LossFilter): SqlParams {
  return { path, flow, agent, from_ns: fromNs, to_ns: toNs };
}
