import { createHmac, timingSafeEqual } from "node:crypto";
import { BASE_LENGTH } from "./mode.ts";

/** Octets of an HMAC in a packet: HMAC-SHA-256 cut to its first 128 bits (RFC 8762 section 4.4). */
export const HMAC_LENGTH = 16;
/** Octets of the authenticated base packet that the HMAC covers; it stands behind them. */
export const AUTHENTICATED_LENGTH = 96;

/** HMAC-SHA-256-128 over `parts` one after another. */
export function hmac128(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return Uint8Array.from(hmac.digest().subarray(0, HMAC_LENGTH));
}

/** In a time that does not tell where they differ. Never for another length than that of an HMAC. */
export function isSameHmac(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === HMAC_LENGTH && b.length === HMAC_LENGTH && timingSafeEqual(a, b);
}

/** Writes the HMAC of an authenticated base packet into it. @throws RangeError shorter than such a packet */
export function sealPacket(packet: Uint8Array, key: Uint8Array): void {
  if (packet.length < BASE_LENGTH.authenticated)
    throw new RangeError(`authenticated packet of ${packet.length} octets`);
  packet.set(hmac128(key, packet.subarray(0, AUTHENTICATED_LENGTH)), AUTHENTICATED_LENGTH);
}

/** Is the HMAC of an authenticated base packet right? Not for one that is cut. */
export function isSealed(packet: Uint8Array, key: Uint8Array): boolean {
  if (packet.length < BASE_LENGTH.authenticated) return false;
  const stated = packet.subarray(AUTHENTICATED_LENGTH, BASE_LENGTH.authenticated);
  return isSameHmac(stated, hmac128(key, packet.subarray(0, AUTHENTICATED_LENGTH)));
}
