import { BASE_LENGTH, type Mode, SHORTEST_REQUEST } from "./mode.ts";

/** What a Session-Sender test packet carries besides TLVs (RFC 8762 section 4.2, RFC 8972 section 3). */
export interface SenderPacket {
  /** 32 bits, from 0. */
  readonly sequence: number;
  /** T1: 64 bits as in the packet. */
  readonly timestamp: bigint;
  /** 16 bits as in the packet, of T1. */
  readonly errorEstimate: number;
  /** STAMP Session Identifier; 0: none. */
  readonly ssid: number;
}

/** Where the fields of a Session-Sender test packet begin. */
export const SENDER_FIELDS: Readonly<
  Record<
    Mode,
    { readonly sequence: number; readonly timestamp: number; readonly errorEstimate: number; readonly ssid: number }
  >
> = {
  unauthenticated: { sequence: 0, timestamp: 4, errorEstimate: 12, ssid: 14 },
  authenticated: { sequence: 0, timestamp: 16, errorEstimate: 24, ssid: 26 },
};

/** The base packet; in authenticated mode its HMAC is still to be written (`sealPacket`). */
export function encodeSenderPacket(mode: Mode, packet: SenderPacket): Uint8Array {
  const octets = new Uint8Array(BASE_LENGTH[mode]);
  const view = new DataView(octets.buffer);
  const at = SENDER_FIELDS[mode];
  view.setUint32(at.sequence, packet.sequence);
  view.setBigUint64(at.timestamp, packet.timestamp);
  view.setUint16(at.errorEstimate, packet.errorEstimate);
  view.setUint16(at.ssid, packet.ssid);
  return octets;
}

/**
 * Reads a request; octets that must be zero are not looked at. Unauthenticated ones are read from 14 octets on (TWAMP
 * Light; the SSID is 0 where it is cut off). Undefined if it is shorter.
 */
export function decodeSenderPacket(mode: Mode, octets: Uint8Array): SenderPacket | undefined {
  if (octets.length < (mode === "authenticated" ? BASE_LENGTH.authenticated : SHORTEST_REQUEST)) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const at = SENDER_FIELDS[mode];
  return {
    sequence: view.getUint32(at.sequence),
    timestamp: view.getBigUint64(at.timestamp),
    errorEstimate: view.getUint16(at.errorEstimate),
    // a packet shorter than the base packet is TWAMP Light's, whose padding begins where the SSID is
    ssid: octets.length >= BASE_LENGTH[mode] ? view.getUint16(at.ssid) : 0,
  };
}
