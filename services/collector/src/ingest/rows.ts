import type { Report } from "@waymark/proto/report";
import type { KnownPayload } from "./kinds.ts";
import { headedRows } from "./row-header.ts";
import type { Touched } from "./touched.ts";

/** One report as rows for one table. */
export interface ReportRows extends Touched {
  readonly table: string;
  readonly columns: readonly string[];
  /** A line for each row: an open JSON array without its last value, the time of storing. */
  readonly text: string;
  /** Lines in `text`. */
  readonly count: number;
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
  // One text: as many small ones they would wait in several times the memory.
  const text = `${rows.join("\n")}\n`;
  return { table: payload.table, columns: payload.columns, text, count: rows.length, ...payload.touched() };
}

/** The lines of complete rows. */
export function stampedText({ text }: ReportRows, storedNs: bigint): string {
  return text.replaceAll("\n", `,${storedNs}]\n`);
}
