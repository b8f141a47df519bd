import { hmac128, isSameHmac } from "./hmac.ts";
import type { Mode } from "./mode.ts";
import { hasValidLength, readTlvs, TLV_TYPE, type Tlv, type TlvChain } from "./tlv.ts";

/** What the HMAC TLV says of the TLVs before it (RFC 8972 section 4.8): none is there and none is needed, right, or wrong. */
export type TlvIntegrity = "none" | "verified" | "failed";

/**
 * Verifies the TLVs behind a base packet. Wrong is also: no HMAC TLV in authenticated mode unless the only TLV is an Extra
 * Padding; another TLV than Extra Padding behind it; no key to verify it with.
 * @param sequence the four octets of the base packet's own Sequence Number
 * @param octets all TLVs
 */
export function tlvIntegrity(
  mode: Mode,
  sequence: Uint8Array,
  octets: Uint8Array,
  key: Uint8Array | undefined,
  chain: TlvChain = readTlvs(octets),
): TlvIntegrity {
  const place = chain.tlvs.findIndex((tlv) => tlv.type === TLV_TYPE.hmac);
  const hmac = chain.tlvs[place];
  if (hmac === undefined) return mode === "unauthenticated" || needsNoHmac(chain) ? "none" : "failed";
  const isLast = chain.brokenAt === undefined && chain.tlvs.slice(place + 1).every(isPadding);
  if (key === undefined || !isLast || !hasValidLength(hmac)) return "failed";
  return isSameHmac(hmac.value, hmac128(key, sequence, octets.subarray(0, hmac.at))) ? "verified" : "failed";
}

/** Writes the right HMAC into the HMAC TLV, if there is one of the right length. */
export function sealTlvs(sequence: Uint8Array, octets: Uint8Array, key: Uint8Array): void {
  const hmac = readTlvs(octets).tlvs.find((tlv) => tlv.type === TLV_TYPE.hmac);
  if (hmac !== undefined && hasValidLength(hmac)) hmac.value.set(hmac128(key, sequence, octets.subarray(0, hmac.at)));
}

function needsNoHmac(chain: TlvChain): boolean {
  const [first, ...others] = chain.tlvs;
  if (chain.brokenAt !== undefined || others.length > 0) return false;
  return first === undefined || isPadding(first);
}

function isPadding(tlv: Tlv): boolean {
  return tlv.type === TLV_TYPE.extraPadding;
}
