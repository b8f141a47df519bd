import type { FlowBatch, FlowRecord } from "@waymark/proto/report";
import { flowKeyValues, NO_FLOW_KEY, NO_ITEM } from "./row-fields.ts";

const NOTHING = `${NO_ITEM},${NO_FLOW_KEY},0,0,0,0,0,"","",0,0,false,false`;
// Two octets as text.
const HEX = Array.from({ length: 0x10000 }, (_, pair) => {
  const digits = pair.toString(16).padStart(4, "0");
  return `${digits.slice(0, 2)}:${digits.slice(2)}`;
});

/** One row per record. */
export function flowRows({ records }: FlowBatch): readonly string[] {
  return records.length > 0 ? records.map(recordValues) : [NOTHING];
}

function recordValues(record: FlowRecord, nth: number): string {
  const key = record.flow === undefined ? NO_FLOW_KEY : flowKeyValues(record.flow);
  return (
    `"record",${nth},${record.firstNs},${record.lastNs},${key},${record.packets},${record.l3Bytes},` +
    `${record.l2Bytes},${record.flowStartNs},${record.tcpFlags},"${macText(record.sourceMac)}",` +
    `"${macText(record.destinationMac)}",${record.dscp},${record.endReason},${record.duplicate},${record.clockStepped}`
  );
}

function macText(octets: Uint8Array): string {
  if (octets.length === 0) return "";
  const pair = (index: number) => HEX[((octets[index] ?? 0) << 8) | (octets[index + 1] ?? 0)];
  return `${pair(0)}:${pair(2)}:${pair(4)}`;
}
