import type { FlowBatch, FlowRecord } from "@waymark/proto/report";
import { flowKeyValues, NO_FLOW_KEY, NO_ITEM } from "./row-fields.ts";

const NOTHING = `${NO_ITEM},${NO_FLOW_KEY},0,0,0,0,0,"","",0,0,false`;
const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

/** One row per record. */
export function flowRows({ records }: FlowBatch): readonly string[] {
  return records.length > 0 ? records.map(recordValues) : [NOTHING];
}

function recordValues(record: FlowRecord, nth: number): string {
  const key = record.flow === undefined ? NO_FLOW_KEY : flowKeyValues(record.flow);
  return (
    `"record",${nth},${record.firstNs},${record.lastNs},${key},${record.packets},${record.l3Bytes},` +
    `${record.l2Bytes},${record.flowStartNs},${record.tcpFlags},"${macText(record.sourceMac)}",` +
    `"${macText(record.destinationMac)}",${record.dscp},${record.endReason},${record.duplicate}`
  );
}

function macText(octets: Uint8Array): string {
  if (octets.length === 0) return "";
  let text = "";
  for (const octet of octets) text += text === "" ? HEX[octet] : `:${HEX[octet]}`;
  return text;
}
