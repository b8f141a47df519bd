import { type Address, familyOf } from "./address.ts";
import { IP_PROTOCOL } from "./protocol.ts";

/** Sum of big-endian 16-bit words, not folded; an odd last octet counts as if a zero followed. */
function sumWords(bytes: Uint8Array, sum: number): number {
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  return bytes.length % 2 === 0 ? sum : sum + ((bytes[bytes.length - 1] ?? 0) << 8);
}

function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** The Internet checksum (RFC 1071) of some octets: 0 over octets that contain a right checksum. */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  return ~fold(sumWords(bytes, initial)) & 0xffff;
}

/**
 * Checksum over a transport header and payload with the pseudo header of RFC 9293 §3.1 or RFC 8200 §8.1: 0 if the
 * octets contain a right checksum. `length` is the length that the pseudo header states, by default all octets.
 */
export function transportChecksum(
  source: Address,
  destination: Address,
  protocol: number,
  segment: Uint8Array,
  length: number = segment.length,
): number {
  const addresses = familyOf(source) === 4 && familyOf(destination) === 4 ? 12 : 0;
  let sum = sumWords(source.subarray(addresses), 0);
  sum = sumWords(destination.subarray(addresses), sum);
  return internetChecksum(segment, sum + protocol + (length >>> 16) + (length & 0xffff));
}

/** What stands in a UDP header for a checksum: 0 means "none", so a computed 0 is written as 0xffff (RFC 768). */
export function writtenChecksum(protocol: number, checksum: number): number {
  return checksum === 0 && protocol === IP_PROTOCOL.udp ? 0xffff : checksum;
}

/** The checksum after one 16-bit word under it changed (RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m')). */
export function updateChecksum(checksum: number, oldWord: number, newWord: number): number {
  return ~fold((~checksum & 0xffff) + (~oldWord & 0xffff) + (newWord & 0xffff)) & 0xffff;
}
