import { flowKey } from "./flow-key.ts";
import { type Names, protocolText, rowText } from "./row-text.ts";
import type { ByteKind, Row } from "./rows.ts";
import { rowBytes } from "./rows.ts";

/** How a connection is told. */
export interface ConnectionOptions {
  readonly bytes: ByteKind;
  readonly names?: Names | undefined;
  /** Unix time, in nanoseconds, of a time since the agent's start. */
  readonly wallNs: (ns: number) => bigint;
}

/** The words for why a connection is over. */
const ENDS = { fin: "FIN", rst: "RST", idle: "idle", shutdown: "shutdown", resources: "no room" } as const;

/** One connection in two lines, in the words that the earlier tool's authors had in mind. */
export function connectionLines(row: Row, { bytes, names, wallNs }: ConnectionOptions): string[] {
  const { source, destination } = rowText(row, names);
  const protocol = row.id === undefined ? "all" : protocolText(flowKey(row.id));
  const packets = row.packets + row.back.packets;
  const state = row.open > 0 || row.end === undefined ? "open" : `ended: ${ENDS[row.end]}`;
  return [
    `- (${protocol})\t${source}\t->\t${destination}\t(${packets} packets, ${rowBytes(row, bytes)} bytes)`,
    `   Connection started: ${localTime(wallNs(row.startNs))}, duration: ${Math.round((row.lastNs - row.startNs) / 1e6)} ms, ${state}`,
  ];
}

/** `2022-02-16 18:30:33`, in the time zone of this host. */
function localTime(ns: bigint): string {
  const at = new Date(Number(ns / 1_000_000n));
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
