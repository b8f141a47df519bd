import type { FlowEnd } from "./flow-end.ts";
import type { Method } from "./method.ts";

/** Wire packets and octets of a flow so far: `sent` in the direction that is measured, `received` of its answers. */
export interface FlowCounts {
  readonly sentPackets: number;
  readonly sentL3Bytes: number;
  readonly sentPayloadBytes: number;
  readonly receivedPackets: number;
  readonly receivedL3Bytes: number;
  readonly receivedPayloadBytes: number;
}

interface NewsBase {
  readonly flow: FlowEnd;
  /** Nanoseconds since the Unix epoch. */
  readonly atNs: bigint;
  readonly counts: FlowCounts;
}

/** A round-trip time. */
export interface RttSample extends NewsBase {
  readonly kind: "rtt";
  readonly rttNs: number;
  /** The flow's least one so far; 0: none that can be relied on. */
  readonly minRttNs: number;
  readonly method: Method;
  /** Of this side of the interface: the answer left by it. */
  readonly local: boolean;
  /** How likely the sample is right, in permille; 1000 but for the spin bit. */
  readonly confidencePermille: number;
}

/** In permille; a less certain sample is told, but it is in no sum and no percentile. */
const LIKELY = 500;

/** Whether a sample is likely enough to be summed up with others. */
export function isLikely({ confidencePermille }: RttSample): boolean {
  return confidencePermille >= LIKELY;
}

/** A direction of a flow was answered for the first time, or ended. */
export interface FlowChange extends NewsBase {
  readonly kind: "opening" | "closing";
  readonly reason: FlowReason;
  readonly triggeredBy: "src" | "dest" | "garbage collection";
}

/** The flow is forgotten; its counts are final. `flow` is its direction 0. */
export interface FlowRemoval extends NewsBase {
  readonly kind: "removed";
}

/** Why a flow opened or closed. */
export type FlowReason = "none" | "SYN" | "SYN-ACK" | "first observed packet" | "FIN" | "RST" | "flow timeout";

/** What the kernel tells. */
export type News = RttSample | FlowChange | FlowRemoval;
