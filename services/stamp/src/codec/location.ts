import { type Address, familyOf } from "@waymark/packet";
import { readTlvs, TLV_FLAG, writeTlv } from "./tlv.ts";

/** Types of sub-TLVs of a Location TLV (RFC 8972 section 4.2.1): those of a request are answered by the specific ones. */
export const LOCATION_TYPE = {
  sourceMac: 1,
  sourceEui48: 2,
  sourceEui64: 3,
  destinationIp: 4,
  destinationIpv4: 5,
  destinationIpv6: 6,
  sourceIp: 7,
  sourceIpv4: 8,
  sourceIpv6: 9,
} as const;

/** What a sender can ask for, besides the ports. */
export type LocationQuestion = "source-mac" | "destination-ip" | "source-ip";

/** What a reflector says of a request as it arrived there. Absent: not asked for, or not told. */
export interface Location {
  readonly destinationPort: number;
  readonly sourcePort: number;
  /** 6 octets, or 8 of an EUI-64. */
  readonly sourceMac?: Uint8Array;
  readonly destinationAddress?: Address;
  readonly sourceAddress?: Address;
}

const QUESTIONS: Readonly<Record<LocationQuestion, readonly [type: number, length: number]>> = {
  "source-mac": [LOCATION_TYPE.sourceMac, 8],
  "destination-ip": [LOCATION_TYPE.destinationIp, 16],
  "source-ip": [LOCATION_TYPE.sourceIp, 16],
};
const PORTS_LENGTH = 4;
const IPV4_AT = 12;

/** The value of a request's Location TLV: all zero but the headers of its sub-TLVs. */
export function encodeLocationRequest(questions: readonly LocationQuestion[]): Uint8Array {
  const parts = questions.map((question) => {
    const [type, length] = QUESTIONS[question];
    return writeTlv(TLV_FLAG.unrecognized, type, new Uint8Array(length));
  });
  return Uint8Array.from([0, 0, 0, 0, ...parts.flatMap((part) => [...part])]);
}

/** Reads an answer's value; sub-TLVs that the reflector did not understand or know are left out. */
export function decodeLocation(value: Uint8Array): Location {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length < PORTS_LENGTH) return { destinationPort: 0, sourcePort: 0 };
  let location: Location = { destinationPort: view.getUint16(0), sourcePort: view.getUint16(2) };
  for (const { flags, type, value: told } of readTlvs(value.subarray(PORTS_LENGTH)).tlvs) {
    if ((flags & TLV_FLAG.malformed) !== 0) break;
    if ((flags & TLV_FLAG.unrecognized) !== 0 || told.every((octet) => octet === 0)) continue;
    location = { ...location, ...readAnswer(type, told) };
  }
  return location;
}

function readAnswer(type: number, told: Uint8Array): Partial<Location> {
  const isMac = told.length === 8;
  const isAddress = told.length === 16;
  if (isMac && type === LOCATION_TYPE.sourceEui48) return { sourceMac: told.slice(0, 6) };
  if (isMac && type === LOCATION_TYPE.sourceEui64) return { sourceMac: told.slice() };
  if (isAddress && type === LOCATION_TYPE.destinationIpv4) return { destinationAddress: mapped(told) };
  if (isAddress && type === LOCATION_TYPE.destinationIpv6) return { destinationAddress: told.slice() };
  if (isAddress && type === LOCATION_TYPE.sourceIpv4) return { sourceAddress: mapped(told) };
  if (isAddress && type === LOCATION_TYPE.sourceIpv6) return { sourceAddress: told.slice() };
  return {};
}

/** An IPv4 address stands first, with twelve octets of zero behind it. */
function mapped(told: Uint8Array): Address {
  const address = new Uint8Array(16);
  address.set([0xff, 0xff], IPV4_AT - 2);
  address.set(told.subarray(0, 4), IPV4_AT);
  return address;
}

/** The 16 octets of an address in a sub-TLV, and which of the two specific types it has. */
export function locationAddress(address: Address, ipv4Type: number, ipv6Type: number): readonly [number, Uint8Array] {
  const octets = new Uint8Array(16);
  const isIpv4 = familyOf(address) === 4;
  octets.set(isIpv4 ? address.subarray(IPV4_AT) : address);
  return [isIpv4 ? ipv4Type : ipv6Type, octets];
}
