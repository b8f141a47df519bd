import type { Report } from "@waymark/proto/report";
import type { KnownPayload } from "./kinds.ts";
import { headedRows } from "./row-header.ts";
import type { Touched } from "./touched.ts";

/** One report as rows for one table. */
export interface ReportRows extends Touched {
  readonly table: string;
  readonly columns: readonly string[];
  /** Each an open JSON array without its last value, the time of storing. */
  readonly rows: readonly string[];
  /** Characters in `rows`. */
  readonly size: number;
}

/**
 * The rows of a valid report, at least one.
 *
 * @param arrivedNs when it reached the collector or the broker
 * @param clockOffsetNs the collector's clock minus the agent's
 */
export function reportRows(
  report: Report,
  payload: KnownPayload,
  arrivedNs: bigint,
  clockOffsetNs: bigint,
): ReportRows {
  const rows = headedRows(report, arrivedNs, clockOffsetNs, payload.rows());
  const size = rows.reduce((sum, row) => sum + row.length, 0);
  return { table: payload.table, columns: payload.columns, rows, size, ...payload.touched() };
}
