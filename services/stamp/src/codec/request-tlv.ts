import type { Address } from "@waymark/packet";
import { encodeClassOfService } from "./class-of-service.ts";
import { HMAC_LENGTH } from "./hmac.ts";
import { encodeLocationRequest, type LocationQuestion } from "./location.ts";
import { encodeReturnPath, type ReturnPath, shortAddress } from "./return-path.ts";
import { TLV_FLAG, TLV_TYPE, writeTlv } from "./tlv.ts";
import { sealTlvs } from "./tlv-hmac.ts";

/** A TLV that a Session-Sender can put into a request. */
export type RequestTlv =
  | { readonly kind: "extra-padding"; readonly content: Uint8Array }
  | { readonly kind: "location"; readonly questions: readonly LocationQuestion[] }
  | { readonly kind: "timestamp-information" }
  | { readonly kind: "class-of-service"; readonly dscp: number }
  | { readonly kind: "direct-measurement"; readonly sentPackets: number }
  | { readonly kind: "access-report"; readonly accessId: number; readonly returnCode: number }
  | { readonly kind: "follow-up-telemetry" }
  | { readonly kind: "destination-address"; readonly address: Address }
  | { readonly kind: "return-path"; readonly path: ReturnPath };

/**
 * TLVs of a request, to stand behind its base packet: U is set in each, Extra Padding comes last. With a key an HMAC TLV
 * protects all before it; it is left out only where it must not be needed, with a single Extra Padding or nothing at all.
 * @param sequence of the base packet
 */
export function encodeRequestTlvs(tlvs: readonly RequestTlv[], sequence: number, key?: Uint8Array): Uint8Array {
  const isPadding = (tlv: RequestTlv) => tlv.kind === "extra-padding";
  const paddings = tlvs.filter(isPadding).map(encodeOne);
  const others = tlvs.filter((tlv) => !isPadding(tlv)).map(encodeOne);
  const isSealed = key !== undefined && (others.length > 0 || paddings.length > 1);
  const hmac = isSealed ? [writeTlv(TLV_FLAG.unrecognized, TLV_TYPE.hmac, new Uint8Array(HMAC_LENGTH))] : [];
  const octets = join([...others, ...hmac, ...paddings]);
  if (isSealed) sealTlvs(sequenceOctets(sequence), octets, key);
  return octets;
}

function encodeOne(tlv: RequestTlv): Uint8Array {
  const [type, value] = typeAndValue(tlv);
  return writeTlv(TLV_FLAG.unrecognized, type, value);
}

function typeAndValue(tlv: RequestTlv): readonly [type: number, value: Uint8Array] {
  switch (tlv.kind) {
    case "extra-padding":
      return [TLV_TYPE.extraPadding, tlv.content];
    case "location":
      return [TLV_TYPE.location, encodeLocationRequest(tlv.questions)];
    case "timestamp-information":
      return [TLV_TYPE.timestampInformation, new Uint8Array(4)];
    case "class-of-service": {
      const cos = { wantedDscp: tlv.dscp, receivedDscp: 0, receivedEcn: 0, reversePathRefused: false };
      return [TLV_TYPE.classOfService, encodeClassOfService(cos)];
    }
    case "direct-measurement": {
      const value = new Uint8Array(12);
      value.set(sequenceOctets(tlv.sentPackets));
      return [TLV_TYPE.directMeasurement, value];
    }
    case "access-report":
      return [TLV_TYPE.accessReport, Uint8Array.of((tlv.accessId & 0xf) << 4, tlv.returnCode, 0, 0)];
    case "follow-up-telemetry":
      return [TLV_TYPE.followUpTelemetry, new Uint8Array(16)];
    case "destination-address":
      return [TLV_TYPE.destinationAddress, shortAddress(tlv.address)];
    case "return-path":
      return [TLV_TYPE.returnPath, encodeReturnPath(tlv.path)];
  }
}

/** A 32-bit number as in a packet. */
export function sequenceOctets(sequence: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, sequence);
  return octets;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
