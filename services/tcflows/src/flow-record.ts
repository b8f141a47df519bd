import type { FlowId } from "./flow-key.ts";

/**
 * Why a flow ended: FIN or RST was seen and nothing after it, nothing came for the idle time-out, the agent was ended, or
 * there was no room for another while it was idle.
 */
export type EndReason = "fin" | "rst" | "idle" | "shutdown" | "resources";

/** Packets and octets on the wire: a super-packet counts as its segments. */
export interface Counts {
  readonly packets: number;
  /** As the IP headers say. */
  readonly l3Bytes: number;
  /** Frames without FCS. */
  readonly l2Bytes: number;
}

/** A flow, or what passed of it in some time. Times in nanoseconds since the agent's start. */
export interface FlowView extends Counts {
  readonly id: FlowId;
  readonly device: string;
  /** Of the flow's first packet. */
  readonly startNs: number;
  readonly lastNs: number;
  /** OR of the flags seen. */
  readonly tcpFlags: number;
  readonly dscp: number;
  /** 48 bits; 0 without a link header. */
  readonly sourceMac: number;
  readonly destinationMac: number;
  /** Absent while it goes on. */
  readonly end: EndReason | undefined;
  /** The same packets are counted on another interface. */
  readonly duplicate: boolean;
  /** The wall clock was stepped since the flow began. */
  readonly clockStepped: boolean;
}

/** What passed of a flow since its last record: records of one flow follow each other and add up. */
export interface FlowRecord extends FlowView {
  /** Of the first packet of this record; without packets, that of the flow's last. */
  readonly firstNs: number;
}
