import { BASE_LENGTH, type Mode } from "./mode.ts";

/** What a Session-Reflector test packet carries besides TLVs (RFC 8762 section 4.3, RFC 8972 section 3). */
export interface ReflectorPacket {
  /** The reflector's own count (stateful) or a copy of the sender's (stateless). */
  readonly sequence: number;
  /** T3: 64 bits as in the packet. */
  readonly timestamp: bigint;
  /** 16 bits as in the packet, of T2 and T3. */
  readonly errorEstimate: number;
  /** The sender's, or 0 from a reflector without RFC 8972. */
  readonly ssid: number;
  /** T2: 64 bits as in the packet. */
  readonly receiveTimestamp: bigint;
  readonly senderSequence: number;
  /** T1: 64 bits as in the packet. */
  readonly senderTimestamp: bigint;
  /** 16 bits as in the packet, of T1. */
  readonly senderErrorEstimate: number;
  /** TTL or hop limit of the request as it arrived. */
  readonly senderTtl: number;
}

/** Where the fields of a Session-Reflector test packet begin. */
export const REFLECTOR_FIELDS: Readonly<Record<Mode, Readonly<Record<keyof ReflectorPacket, number>>>> = {
  unauthenticated: {
    sequence: 0,
    timestamp: 4,
    errorEstimate: 12,
    ssid: 14,
    receiveTimestamp: 16,
    senderSequence: 24,
    senderTimestamp: 28,
    senderErrorEstimate: 36,
    senderTtl: 40,
  },
  authenticated: {
    sequence: 0,
    timestamp: 16,
    errorEstimate: 24,
    ssid: 26,
    receiveTimestamp: 32,
    senderSequence: 48,
    senderTimestamp: 64,
    senderErrorEstimate: 72,
    senderTtl: 80,
  },
};

/** The base packet; in authenticated mode its HMAC is still to be written (`sealPacket`). */
export function encodeReflectorPacket(mode: Mode, packet: ReflectorPacket): Uint8Array {
  const octets = new Uint8Array(BASE_LENGTH[mode]);
  const view = new DataView(octets.buffer);
  const at = REFLECTOR_FIELDS[mode];
  view.setUint32(at.sequence, packet.sequence);
  view.setBigUint64(at.timestamp, packet.timestamp);
  view.setUint16(at.errorEstimate, packet.errorEstimate);
  view.setUint16(at.ssid, packet.ssid);
  view.setBigUint64(at.receiveTimestamp, packet.receiveTimestamp);
  view.setUint32(at.senderSequence, packet.senderSequence);
  view.setBigUint64(at.senderTimestamp, packet.senderTimestamp);
  view.setUint16(at.senderErrorEstimate, packet.senderErrorEstimate);
  view.setUint8(at.senderTtl, packet.senderTtl);
  return octets;
}

/** Reads an answer; octets that must be zero are not looked at. Undefined if it is shorter than the base packet. */
export function decodeReflectorPacket(mode: Mode, octets: Uint8Array): ReflectorPacket | undefined {
  if (octets.length < BASE_LENGTH[mode]) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const at = REFLECTOR_FIELDS[mode];
  return {
    sequence: view.getUint32(at.sequence),
    timestamp: view.getBigUint64(at.timestamp),
    errorEstimate: view.getUint16(at.errorEstimate),
    ssid: view.getUint16(at.ssid),
    receiveTimestamp: view.getBigUint64(at.receiveTimestamp),
    senderSequence: view.getUint32(at.senderSequence),
    senderTimestamp: view.getBigUint64(at.senderTimestamp),
    senderErrorEstimate: view.getUint16(at.senderErrorEstimate),
    senderTtl: view.getUint8(at.senderTtl),
  };
}
