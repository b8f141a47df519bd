import { addGaps, type GapFigures, NO_GAPS } from "./gap-figures.ts";
import { addSequence, type SequenceFigures } from "./sequence-figures.ts";

/** What passed of one flow in some time. */
export interface FlowFigures {
  /** Wire packets. */
  readonly packets: bigint;
  readonly l3Bytes: bigint;
  /** Octets above the transport header. */
  readonly payloadBytes: bigint;
  /** Of those, without octets of TCP that had been seen before. */
  readonly goodputBytes: bigint;
  readonly gaps: GapFigures;
  /** The flow paused in this time: `gaps` are of after the last pause. */
  readonly paused: boolean;
  /** Most L3 bytes in any aligned window. */
  readonly burst1msL3Bytes: bigint;
  readonly burst10msL3Bytes: bigint;
  /** Undefined where numbers are not looked at. */
  readonly sequence: SequenceFigures | undefined;
  /** RFC 3550, at the end; undefined where there is no RTP with a clock that we know. Nanoseconds. */
  readonly rtpJitterNs: bigint | undefined;
}

/** Nothing passed. */
export const NO_FIGURES: FlowFigures = {
  packets: 0n,
  l3Bytes: 0n,
  payloadBytes: 0n,
  goodputBytes: 0n,
  gaps: NO_GAPS,
  paused: false,
  burst1msL3Bytes: 0n,
  burst10msL3Bytes: 0n,
  sequence: undefined,
  rtpJitterNs: undefined,
};

/** The same flow, `later` following `earlier`: after a pause the gaps of before are forgotten. */
export function followFigures(earlier: FlowFigures, later: FlowFigures): FlowFigures {
  return { ...addFigures(earlier, later), gaps: later.paused ? later.gaps : addGaps(earlier.gaps, later.gaps) };
}

/** Two flows, or what is counted together; gaps are those of each flow by itself. */
export function addFigures(a: FlowFigures, b: FlowFigures): FlowFigures {
  return {
    packets: a.packets + b.packets,
    l3Bytes: a.l3Bytes + b.l3Bytes,
    payloadBytes: a.payloadBytes + b.payloadBytes,
    goodputBytes: a.goodputBytes + b.goodputBytes,
    gaps: addGaps(a.gaps, b.gaps),
    paused: a.paused || b.paused,
    burst1msL3Bytes: larger(a.burst1msL3Bytes, b.burst1msL3Bytes),
    burst10msL3Bytes: larger(a.burst10msL3Bytes, b.burst10msL3Bytes),
    sequence: a.sequence && b.sequence ? addSequence(a.sequence, b.sequence) : (b.sequence ?? a.sequence),
    rtpJitterNs: b.rtpJitterNs ?? a.rtpJitterNs,
  };
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
