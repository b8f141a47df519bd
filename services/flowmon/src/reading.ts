import { type FlowmonBank, flowmonBank, flowmonFlow, flowmonKey } from "../bpf/flowmon.gen.ts";
import type { FlowFigures } from "./flow-figures.ts";
import { type FlowDirection, type FlowId, flowIdOf } from "./flow-id.ts";
import type { ProtocolClass } from "./protocol-class.ts";
import type { SequenceFigures } from "./sequence-figures.ts";

/** What the kernel held of one flow for one interval. */
export interface FlowReading {
  /** The same for the same flow of the same interface. */
  readonly key: string;
  readonly id: FlowId;
  readonly figures: FlowFigures;
}

/** What found no room in the table in one interval. */
export interface OverflowReading {
  readonly interface: string;
  readonly direction: FlowDirection;
  readonly protocol: ProtocolClass;
  readonly packets: bigint;
  readonly l3Bytes: bigint;
  readonly payloadBytes: bigint;
}

/** One interval of one interface. */
export interface Reading {
  readonly flows: readonly FlowReading[];
  readonly overflow: readonly OverflowReading[];
}

/** Numbers of intervals go round (FLOWMON_EPOCH_MASK). */
export const EPOCH_MASK = 0xffff;
const BANKS_AT = flowmonFlow.size - 2 * flowmonBank.size;
const RTP_SCALE = 16n;

/** Many flows as they lie in kernel memory. */
export interface RawFlows {
  readonly keys: DataView;
  readonly values: DataView;
  readonly count: number;
}

/** The flows that have figures of the interval `epoch`; only those are decoded. */
export function* readFlows(raw: RawFlows, epoch: number, device: string, numbered: boolean): Generator<FlowReading> {
  const { keys, values, count } = raw;
  for (let index = 0; index < count; index++) {
    const at = index * flowmonFlow.size + BANKS_AT + (epoch & 1) * flowmonBank.size;
    if (values.getUint32(at, true) !== epoch) continue;
    const figures = figuresOf(flowmonBank.decode(values, at), numbered);
    // A bank that was never used looks like one of interval 0, when the numbers have gone round.
    if (figures.packets === 0n) continue;
    const keyAt = index * flowmonKey.size;
    const octets = Buffer.from(keys.buffer, keys.byteOffset + keyAt, flowmonKey.size);
    const id = flowIdOf(flowmonKey.decode(keys, keyAt), device);
    yield { key: `${device} ${octets.toString("latin1")}`, id, figures };
  }
}

/** A bank of the kernel. `numbered`: sequence numbers are looked at. */
export function figuresOf(bank: FlowmonBank, numbered: boolean): FlowFigures {
  return {
    packets: bank.packets,
    l3Bytes: bank.l3_bytes,
    payloadBytes: bank.payload_bytes,
    goodputBytes: bank.goodput_bytes,
    gaps: {
      gaps: bank.gaps,
      sumNs: bank.gap_sum_ns,
      squaresNs2: (bank.gap_squares_high << 64n) | bank.gap_squares_low,
      superGaps: bank.super_gaps,
    },
    paused: bank.restarts > 0,
    burst1msL3Bytes: bank.burst_1ms_l3_bytes,
    burst10msL3Bytes: bank.burst_10ms_l3_bytes,
    sequence: numbered && bank.numbered + bank.reverse > 0n ? sequenceOf(bank) : undefined,
    rtpJitterNs: bank.rtp_packets > 0n ? bank.rtp_jitter_ns_16 / RTP_SCALE : undefined,
  };
}

function sequenceOf(bank: FlowmonBank): SequenceFigures {
  return {
    current: bank.current,
    received: bank.numbered,
    reverse: bank.reverse,
    small: bank.small,
    big: bank.big,
    duplicates: bank.duplicates,
    reordered: bank.reordered,
    lost: bank.lost,
    recovered: bank.recovered,
    episodes: bank.episodes,
    episodesChange: bank.episodes_change,
    restarts: bank.sequence_restarts,
  };
}
