import type { FlowRecord, FlowView } from "../src/flow-record.ts";

/** A flow of 7 packets, one second old. */
export function viewOf(id: string, more: Partial<FlowView> = {}): FlowView {
  return {
    ...{ id, device: "eth0", packets: 7, l3Bytes: 700, l2Bytes: 798, startNs: 1e9, lastNs: 2e9 },
    ...{ tcpFlags: 0, dscp: 0, sourceMac: 1, destinationMac: 2, end: undefined, duplicate: false, clockStepped: false },
    ...more,
  };
}

/** A record of it. */
export function recordOf(id: string, more: Partial<FlowRecord> = {}): FlowRecord {
  return { ...viewOf(id), firstNs: 1.5e9, ...more };
}
