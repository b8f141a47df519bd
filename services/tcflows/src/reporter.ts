import { connectionLines } from "./connection-text.ts";
import { flowJson } from "./flow-json.ts";
import { flowLines } from "./flow-lines.ts";
import type { FlowView } from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import type { Names } from "./row-text.ts";
import { type ByteKind, flowRowKey, type Row, RowMaker, type SortKey, sortRows, tableKey } from "./rows.ts";

/** What the user wants to see. */
export interface ReportOptions {
  readonly format: "table" | "connections" | "jsonl";
  readonly intervalTotals: boolean;
  readonly top: number | undefined;
  readonly sort: SortKey;
  readonly bytes: ByteKind;
  readonly biflow: boolean;
  readonly dedup: boolean;
  readonly manyDevices: boolean;
  readonly names?: Names | undefined;
  /** Unix time, in nanoseconds, of a time since the agent's start. */
  readonly wallNs: (ns: number) => bigint;
}

/** Shows flows to the user. */
export interface Reporter {
  /** A flow has ended. */
  ended(sinceShown: FlowView, sinceStart: FlowView): void;
  /** It is time for another report. */
  show(tables: readonly FlowTable[], readNs: number): void;
  /** The last report was shown. */
  close(): void;
}

/** The rows that the options ask for. */
export function rowMaker(options: ReportOptions): RowMaker {
  const { format, intervalTotals, biflow, dedup, manyDevices } = options;
  return new RowMaker({
    since: intervalTotals ? "shown" : "start",
    biflow,
    dedup,
    keepEnded: format === "table" && !intervalTotals,
    showEnds: format !== "table",
    keyOf: format === "table" ? tableKey(manyDevices) : flowRowKey,
  });
}

/** Prints a report after the other. */
export class PlainReporter implements Reporter {
  readonly #options: ReportOptions;
  readonly #rows: RowMaker;
  readonly #print: (text: string) => void;

  /** @param print gets whole lines */
  constructor(options: ReportOptions, print: (text: string) => void) {
    this.#options = options;
    this.#rows = rowMaker(options);
    this.#print = print;
  }

  ended(sinceShown: FlowView, sinceStart: FlowView): void {
    this.#rows.ended(sinceShown, sinceStart);
  }

  show(tables: readonly FlowTable[], readNs: number): void {
    const { sort, bytes, top } = this.#options;
    const rows = sortRows(this.#rows.take(tables, readNs), sort, bytes, top);
    const lines = this.#lines(rows);
    if (lines.length > 0) this.#print(`${lines.join("\n")}\n`);
  }

  close(): void {}

  #lines(rows: readonly Row[]): string[] {
    const options = this.#options;
    switch (options.format) {
      case "table":
        return [...flowLines(rows, options), ""];
      case "connections":
        return [...rows.flatMap((row) => connectionLines(row, options)), ""];
      case "jsonl":
        return rows.map((row) => flowJson(row, options));
    }
  }
}
