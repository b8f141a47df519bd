import { type Names, rowText } from "./row-text.ts";
import type { ByteKind, Row } from "./rows.ts";
import { formatBytes } from "./units.ts";

/** How the table looks. */
export interface TableOptions {
  readonly bytes: ByteKind;
  /** A column each for the answers. */
  readonly biflow: boolean;
  /** A column for the interface. */
  readonly manyDevices: boolean;
  readonly names?: Names | undefined;
}

interface Column {
  readonly heading: string;
  /** Characters at least; a longer cell widens it. */
  readonly width: number;
  readonly cell: (row: Row) => string;
}

/** The longest IPv4 address with a port. */
const ADDRESS_WIDTH = 21;

/** Headings and rows in columns, as the earlier tool printed them; one string a line. */
export function flowLines(rows: readonly Row[], options: TableOptions): string[] {
  const columns = columnsOf(options);
  const cells = [columns.map(({ heading }) => heading), ...cellsOf(rows, columns, options)];
  const widths = columns.map(({ width }, i) =>
    cells.reduce((most, line) => Math.max(most, line[i]?.length ?? 0), width),
  );
  return cells.map((line) =>
    line.map((cell, i) => (i + 1 === line.length ? cell : cell.padEnd(widths[i] ?? 0))).join(" "),
  );
}

function cellsOf(rows: readonly Row[], columns: readonly Column[], { names }: TableOptions): string[][] {
  return rows.map((row) => {
    const { protocol, source, destination } = rowText(row, names);
    return [protocol, source, destination, ...columns.slice(ENDS.length).map(({ cell }) => cell(row))];
  });
}

const nothing = () => "";
const ENDS: readonly Column[] = [
  { heading: "PROTOCOL", width: 8, cell: nothing },
  { heading: "SOURCE", width: ADDRESS_WIDTH, cell: nothing },
  { heading: "DESTINATION", width: ADDRESS_WIDTH, cell: nothing },
];

function columnsOf({ bytes, biflow, manyDevices }: TableOptions): Column[] {
  const columns: Column[] = [
    ...ENDS,
    { heading: "PACKETS", width: 7, cell: (row) => String(row.packets) },
    { heading: "BYTES", width: biflow || manyDevices ? 11 : 0, cell: (row) => formatBytes(bytesOf(row, bytes)) },
  ];
  if (biflow) {
    columns.push(
      { heading: "BACK", width: 7, cell: (row) => String(row.back.packets) },
      { heading: "BYTES BACK", width: manyDevices ? 11 : 0, cell: (row) => formatBytes(bytesOf(row.back, bytes)) },
    );
  }
  if (manyDevices) columns.push({ heading: "INTERFACE", width: 0, cell: (row) => row.device });
  return columns;
}

function bytesOf(counts: { readonly l2Bytes: number; readonly l3Bytes: number }, kind: ByteKind): number {
  return kind === "l2" ? counts.l2Bytes : counts.l3Bytes;
}
