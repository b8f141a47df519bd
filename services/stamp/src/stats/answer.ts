import { errorOf, parseErrorEstimate } from "../codec/error-estimate.ts";
import type { ReflectorPacket } from "../codec/reflector-packet.ts";
import { decodeTime, type TimeFormat } from "../codec/time-stamp.ts";

/** What one clock says of itself. */
export interface ClockClaim {
  /** Synchronised to UTC by an external source. */
  readonly synchronised: boolean;
  /** How far it may be off. Undefined: it did not say. */
  readonly errorNs: bigint | undefined;
}

/** An answer as the Session-Sender has it. Times are nanoseconds since the Unix epoch on the clock of the side that took them. */
export interface Answer {
  /** Session-Sender Sequence Number. */
  readonly sequence: number;
  /** The reflector's own number, or again the sender's. */
  readonly reflectorSequence: number;
  readonly t1Ns: bigint;
  /** Undefined: what the packet holds is no time. */
  readonly t2Ns: bigint | undefined;
  readonly t3Ns: bigint | undefined;
  readonly t4Ns: bigint;
  readonly sender: ClockClaim;
  readonly reflector: ClockClaim;
  /** TTL or hop limit of the request at the reflector. */
  readonly senderTtl: number;
}

/** Signed nanoseconds. */
export interface Delays {
  /** T2 − T1, with the difference of the two clocks in it. */
  readonly forwardNs: number;
  /** T4 − T3, likewise. */
  readonly backwardNs: number;
  /** (T4 − T1) − (T3 − T2): no difference of clocks is in it. */
  readonly roundTripNs: number;
  /** T3 − T2: how long the reflector held the packet. */
  readonly residenceNs: number;
}

/** The sides' TAI − UTC in seconds, where they write PTP time. 0: such a side writes Unix time. */
export interface TaiOffsets {
  readonly senderS: number;
  readonly reflectorS: number;
}

/** Reads the times of an answer, each side's in the format that its own Z bit names, in the era that T4 is in. */
export function answerOf(packet: ReflectorPacket, t1Ns: bigint | undefined, t4Ns: bigint, tai: TaiOffsets): Answer {
  const sender = parseErrorEstimate(packet.senderErrorEstimate);
  const reflector = parseErrorEstimate(packet.errorEstimate);
  const time = (bits: bigint, format: TimeFormat, taiS: number) => decodeTime(bits, format, taiS, t4Ns);
  return {
    sequence: packet.senderSequence,
    reflectorSequence: packet.sequence,
    t1Ns: t1Ns ?? time(packet.senderTimestamp, sender.format, tai.senderS) ?? t4Ns,
    t2Ns: time(packet.receiveTimestamp, reflector.format, tai.reflectorS),
    t3Ns: time(packet.timestamp, reflector.format, tai.reflectorS),
    t4Ns,
    sender: { synchronised: sender.synchronised, errorNs: errorOf(sender) },
    reflector: { synchronised: reflector.synchronised, errorNs: errorOf(reflector) },
    senderTtl: packet.senderTtl,
  };
}

/** The delays; undefined if the reflector told no times, or clocks are further apart than numbers are exact (104 days). */
export function delaysOf(answer: Answer): Delays | undefined {
  const { t1Ns, t2Ns, t3Ns, t4Ns } = answer;
  if (t2Ns === undefined || t3Ns === undefined) return undefined;
  const delays: Delays = {
    forwardNs: Number(t2Ns - t1Ns),
    backwardNs: Number(t4Ns - t3Ns),
    roundTripNs: Number(t4Ns - t1Ns - (t3Ns - t2Ns)),
    residenceNs: Number(t3Ns - t2Ns),
  };
  return Object.values(delays).every(Number.isSafeInteger) ? delays : undefined;
}
