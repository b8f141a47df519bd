import type { FlowBatch, FlowRecord } from "@waymark/proto/report";
import { MAX_BYTES, MAX_PACKETS, validateTime } from "./fields.ts";
import { check } from "./refusal.ts";
import { validateFlowKey } from "./validate-flow-key.ts";

// RFC 9293 section 3.1: four data offset bits, then reserved and control bits.
const MAX_TCP_FLAGS = 0xfff;
const MAX_DSCP = 63;
const MAC_OCTETS = 6;
const MAX_END_REASON = 255;

/** @throws Refusal with the first thing that cannot be true */
export function validateFlows({ records }: FlowBatch, nowNs: bigint): void {
  for (const record of records) validateRecord(record, nowNs);
}

function validateRecord(record: FlowRecord, nowNs: bigint): void {
  validateFlowKey(record.flow);
  const { packets, l3Bytes, l2Bytes, firstNs, lastNs, flowStartNs } = record;
  const counted = packets <= MAX_PACKETS && l3Bytes <= MAX_BYTES && l2Bytes <= MAX_BYTES;
  check(counted, "flow", "a flow counts more than any link carries");
  check(packets > 0n || (l3Bytes === 0n && l2Bytes === 0n), "flow", "bytes without packets");
  validateTime("flow_start_ns", flowStartNs, nowNs);
  validateTime("first_ns", firstNs, nowNs);
  validateTime("last_ns", lastNs, nowNs);
  check(firstNs <= lastNs, "flow", "last_ns is before first_ns");
  check(record.tcpFlags <= MAX_TCP_FLAGS, "flow", `tcp_flags ${record.tcpFlags} are more than 12 bits`);
  check(record.dscp <= MAX_DSCP, "flow", `dscp ${record.dscp} is more than ${MAX_DSCP}`);
  check(isMac(record.sourceMac) && isMac(record.destinationMac), "flow", "a MAC address that is not 6 octets");
  check(record.endReason <= MAX_END_REASON, "flow", `end_reason ${record.endReason} is more than ${MAX_END_REASON}`);
}

function isMac(octets: Uint8Array): boolean {
  return octets.length === 0 || octets.length === MAC_OCTETS;
}
