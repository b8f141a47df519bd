import { LOCATION_TYPE, locationAddress } from "../codec/location.ts";
import { readTlvs, TLV_FLAG, TLV_HEADER_LENGTH, type Tlv } from "../codec/tlv.ts";
import type { ReflectorPolicy } from "./policy.ts";
import type { Request } from "./request.ts";

const PORTS_LENGTH = 4;
const MAC_LENGTH = 8;
const ADDRESS_LENGTH = 16;

/**
 * Answers a Location TLV in place (RFC 8972 section 4.2): ports, and for each generic sub-TLV the specific one. What the
 * policy does not tell is zero. @returns false if a sub-TLV is malformed; it is marked then
 */
export function reflectLocation(value: Uint8Array, request: Request, policy: ReflectorPolicy): boolean {
  const subTlvs = value.subarray(PORTS_LENGTH);
  const chain = readTlvs(subTlvs);
  const broken = chain.tlvs.find((sub) => !hasQuestionLength(sub))?.at ?? chain.brokenAt;
  if (broken !== undefined) {
    subTlvs[broken] = (subTlvs[broken] ?? 0) | TLV_FLAG.malformed;
    return false;
  }
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  view.setUint16(0, policy.tellsLocation ? request.destination.port : 0);
  view.setUint16(2, policy.tellsLocation ? request.source.port : 0);
  for (const sub of chain.tlvs) {
    const answer = answerOf(sub.type, request);
    subTlvs[sub.at] = answer === undefined ? TLV_FLAG.unrecognized : 0;
    if (answer === undefined) continue;
    const [type, told] = answer;
    const isTold = sub.type === LOCATION_TYPE.sourceMac ? policy.tellsMac : policy.tellsLocation;
    subTlvs[sub.at + 1] = type;
    subTlvs.set(isTold ? told : new Uint8Array(told.length), sub.at + TLV_HEADER_LENGTH);
  }
  return true;
}

function hasQuestionLength({ type, value }: Tlv): boolean {
  if (type === LOCATION_TYPE.sourceMac) return value.length === MAC_LENGTH;
  if (type === LOCATION_TYPE.destinationIp || type === LOCATION_TYPE.sourceIp) return value.length === ADDRESS_LENGTH;
  return true;
}

/** The specific type and its value. Undefined for what is no question. */
function answerOf(question: number, request: Request): readonly [type: number, value: Uint8Array] | undefined {
  const { sourceIpv4, sourceIpv6, destinationIpv4, destinationIpv6 } = LOCATION_TYPE;
  if (question === LOCATION_TYPE.sourceIp) return locationAddress(request.source.address, sourceIpv4, sourceIpv6);
  if (question === LOCATION_TYPE.destinationIp) {
    return locationAddress(request.destination.address, destinationIpv4, destinationIpv6);
  }
  if (question !== LOCATION_TYPE.sourceMac) return undefined;
  const value = new Uint8Array(MAC_LENGTH);
  value.set(request.sourceMac ?? []);
  // without a MAC address the EUI-64 is to be zero
  return [request.sourceMac?.length === 6 ? LOCATION_TYPE.sourceEui48 : LOCATION_TYPE.sourceEui64, value];
}
