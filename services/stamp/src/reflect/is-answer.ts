import type { Mode } from "../codec/mode.ts";
import { REFLECTOR_FIELDS } from "../codec/reflector-packet.ts";

/** A reflector holds a packet for less than so many seconds. */
const LONGEST_RESIDENCE_S = 64;

/**
 * Is this an answer already, ours or another reflector's? To answer it would begin a loop of two reflectors. An answer has
 * two times right after each other, T2 and T3; a request has one, and zero (or somebody's padding) where the other would be.
 */
export function isAnswer(mode: Mode, octets: Uint8Array): boolean {
  const at = REFLECTOR_FIELDS[mode];
  if (octets.length < at.receiveTimestamp + 8) return false;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  if (view.getBigUint64(at.receiveTimestamp) === 0n) return false;
  const residence = (view.getUint32(at.timestamp) - view.getUint32(at.receiveTimestamp)) | 0;
  return Math.abs(residence) < LONGEST_RESIDENCE_S;
}
