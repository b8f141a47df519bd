import { type Address, familyOf, mapIpv4 } from "@waymark/packet";
import { readTlvs, TLV_FLAG, type Tlv, writeTlv } from "./tlv.ts";

/** Types of sub-TLVs of a Return Path TLV (RFC 9503 section 4.1). */
export const RETURN_PATH_TYPE = { controlCode: 1, returnAddress: 2, srMplsLabels: 3, srv6Segments: 4 } as const;

/** What a request wants of its answer's way. */
export type ReturnPath =
  | { readonly kind: "no-reply" }
  | { readonly kind: "same-link" }
  | { readonly kind: "address"; readonly address: Address };

/** What a Return Path TLV asks for, or that it is malformed, or that it asks for what is not done here. */
export type ReturnPathReading =
  | { readonly kind: "path"; readonly path: ReturnPath }
  | { readonly kind: "malformed" }
  | { readonly kind: "unsupported" };

const REPLY_REQUESTED = 1;
const MALFORMED: ReturnPathReading = { kind: "malformed" };
const UNSUPPORTED: ReturnPathReading = { kind: "unsupported" };

/** The value of a Return Path TLV. */
export function encodeReturnPath(path: ReturnPath): Uint8Array {
  const { unrecognized } = TLV_FLAG;
  if (path.kind === "address")
    return writeTlv(unrecognized, RETURN_PATH_TYPE.returnAddress, shortAddress(path.address));
  const flags = Uint8Array.of(0, 0, 0, path.kind === "same-link" ? REPLY_REQUESTED : 0);
  return writeTlv(unrecognized, RETURN_PATH_TYPE.controlCode, flags);
}

/** Reads the value of a Return Path TLV. Segment lists are not supported; each sub-TLV may be there once, a Control Code only alone. */
export function decodeReturnPath(value: Uint8Array): ReturnPathReading {
  const { tlvs, brokenAt } = readTlvs(value);
  if (brokenAt !== undefined || !tlvs.every(hasSubLength)) return MALFORMED;
  const types = tlvs.map((tlv) => tlv.type);
  if (new Set(types).size !== types.length) return MALFORMED;
  const [first] = tlvs;
  if (first === undefined) return UNSUPPORTED;
  if (tlvs.length > 1) return types.includes(RETURN_PATH_TYPE.controlCode) ? MALFORMED : UNSUPPORTED;
  if (first.type === RETURN_PATH_TYPE.controlCode) {
    const isRequested = ((first.value[3] ?? 0) & REPLY_REQUESTED) !== 0;
    return { kind: "path", path: { kind: isRequested ? "same-link" : "no-reply" } };
  }
  if (first.type !== RETURN_PATH_TYPE.returnAddress) return UNSUPPORTED;
  return { kind: "path", path: { kind: "address", address: longAddress(first.value) } };
}

function hasSubLength({ type, value }: Tlv): boolean {
  if (type === RETURN_PATH_TYPE.controlCode) return value.length === 4;
  if (type === RETURN_PATH_TYPE.returnAddress) return value.length === 4 || value.length === 16;
  if (type === RETURN_PATH_TYPE.srMplsLabels) return value.length > 0 && value.length % 4 === 0;
  if (type === RETURN_PATH_TYPE.srv6Segments) return value.length > 0 && value.length % 16 === 0;
  return true;
}

/** An address as TLVs of RFC 9503 carry it: 4 or 16 octets. */
export function shortAddress(address: Address): Uint8Array {
  return familyOf(address) === 4 ? address.slice(12) : address.slice();
}

/** The 16 octets of an address of 4 or 16. @throws RangeError any other length */
export function longAddress(octets: Uint8Array): Address {
  if (octets.length === 4) return mapIpv4(octets);
  if (octets.length !== 16) throw new RangeError(`address of ${octets.length} octets`);
  return octets.slice();
}
