import type { LossRow } from "../verdict.ts";
import type { SqlRow } from "./store.ts";

/** Columns of the loss view that a LossRow is made of. */
export const LOSS_ROW_COLUMNS = `path, flow, interval_ns, block_number, start_ns, sent_packets, received_packets,
  lost_packets, sent_l3_bytes, received_l3_bytes, loss_ratio, verdict, reasons, revision, numbered, agents,
  deadline_ns, changed_ns`;

/** Reads one row of the loss view. */
export function lossRow(row: SqlRow): LossRow {
  const integer = (name: string) => BigInt(String(row[name]));
  return {
    path: String(row["path"]),
    flow: String(row["flow"]),
    intervalNs: integer("interval_ns"),
    blockNumber: integer("block_number"),
    startNs: integer("start_ns"),
    sentPackets: integer("sent_packets"),
    receivedPackets: integer("received_packets"),
    lostPackets: integer("lost_packets"),
    sentL3Bytes: integer("sent_l3_bytes"),
    receivedL3Bytes: integer("received_l3_bytes"),
    lossRatio: Number(row["loss_ratio"]),
    verdict: Number(row["verdict"]),
    reasons: (row["reasons"] as unknown[]).map(Number),
    revision: Number(row["revision"]),
    numbered: Boolean(row["numbered"]),
    agents: (row["agents"] as unknown[]).map(String),
    deadlineNs: integer("deadline_ns"),
    changedNs: integer("changed_ns"),
  };
}
