import { type ClassOfService, decodeClassOfService } from "./class-of-service.ts";
import { decodeLocation, type Location } from "./location.ts";
import type { Mode } from "./mode.ts";
import { BASE_LENGTH } from "./mode.ts";
import { hasValidLength, readTlvs, TLV_FLAG, TLV_TYPE, type Tlv } from "./tlv.ts";
import { tlvIntegrity } from "./tlv-hmac.ts";

/** What a reflector answered in a TLV. */
export type ReplyTlv =
  | { readonly kind: "extra-padding"; readonly length: number }
  | { readonly kind: "location"; readonly location: Location }
  | {
      readonly kind: "timestamp-information";
      readonly syncSourceIn: number;
      readonly timestampIn: number;
      readonly syncSourceOut: number;
      readonly timestampOut: number;
    }
  | { readonly kind: "class-of-service"; readonly classOfService: ClassOfService }
  | {
      readonly kind: "direct-measurement";
      readonly senderTransmitted: number;
      readonly reflectorReceived: number;
      readonly reflectorTransmitted: number;
    }
  | { readonly kind: "access-report"; readonly accessId: number; readonly returnCode: number }
  | {
      readonly kind: "follow-up-telemetry";
      /** Of the reflector's earlier answer; with timestamp 0n there is none. */
      readonly sequence: number;
      /** 64 bits in the reflector's format. */
      readonly timestamp: bigint;
      readonly method: number;
    }
  | { readonly kind: "destination-address" }
  | { readonly kind: "return-path" };

/** What the TLVs of an answer say. */
export interface ReplyTlvs {
  /** Understood by both sides, in order. */
  readonly tlvs: readonly ReplyTlv[];
  /** Types that the reflector did not understand (U). */
  readonly unrecognized: readonly number[];
  /** The reflector or this side found one malformed (M); what stands behind it was not read. */
  readonly malformed: boolean;
  /** `failed`: the reflector (I) or this side could not verify them; none was read. */
  readonly integrity: "none" | "verified" | "failed";
}

/**
 * Reads the TLVs of an answer by the rules for a Session-Sender (RFC 8972 section 4): any I discards them all, M ends the
 * reading, U skips the TLV.
 * @param packet the whole answer
 */
export function readReplyTlvs(mode: Mode, packet: Uint8Array, key?: Uint8Array): ReplyTlvs {
  const octets = packet.subarray(BASE_LENGTH[mode]);
  const chain = readTlvs(octets);
  const end = chain.tlvs.findIndex((tlv) => (tlv.flags & TLV_FLAG.malformed) !== 0);
  // behind M stands what the reflector did not look at
  const looked = end < 0 ? chain.tlvs : chain.tlvs.slice(0, end + 1);
  const isFlagged = looked.some((tlv) => (tlv.flags & TLV_FLAG.integrity) !== 0);
  const integrity = isFlagged ? "failed" : tlvIntegrity(mode, packet.subarray(0, 4), octets, key, chain);
  if (integrity === "failed") return { tlvs: [], unrecognized: [], malformed: false, integrity };
  const [tlvs, unrecognized]: [ReplyTlv[], number[]] = [[], []];
  for (const tlv of looked) {
    if ((tlv.flags & TLV_FLAG.malformed) !== 0) return { tlvs, unrecognized, malformed: true, integrity };
    if ((tlv.flags & TLV_FLAG.unrecognized) !== 0) {
      unrecognized.push(tlv.type);
      continue;
    }
    if (!hasValidLength(tlv)) return { tlvs, unrecognized, malformed: true, integrity };
    const reply = decodeOne(tlv);
    if (reply !== undefined) tlvs.push(reply);
  }
  return { tlvs, unrecognized, malformed: chain.brokenAt !== undefined, integrity };
}

function decodeOne({ type, value }: Tlv): ReplyTlv | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  switch (type) {
    case TLV_TYPE.extraPadding:
      return { kind: "extra-padding", length: value.length };
    case TLV_TYPE.location:
      return { kind: "location", location: decodeLocation(value) };
    case TLV_TYPE.timestampInformation:
      return {
        kind: "timestamp-information",
        syncSourceIn: view.getUint8(0),
        timestampIn: view.getUint8(1),
        syncSourceOut: view.getUint8(2),
        timestampOut: view.getUint8(3),
      };
    case TLV_TYPE.classOfService:
      return { kind: "class-of-service", classOfService: decodeClassOfService(value) };
    case TLV_TYPE.directMeasurement:
      return {
        kind: "direct-measurement",
        senderTransmitted: view.getUint32(0),
        reflectorReceived: view.getUint32(4),
        reflectorTransmitted: view.getUint32(8),
      };
    case TLV_TYPE.accessReport:
      return { kind: "access-report", accessId: view.getUint8(0) >> 4, returnCode: view.getUint8(1) };
    case TLV_TYPE.followUpTelemetry:
      return {
        kind: "follow-up-telemetry",
        sequence: view.getUint32(0),
        timestamp: view.getBigUint64(4),
        method: view.getUint8(12),
      };
    case TLV_TYPE.destinationAddress:
      return { kind: "destination-address" };
    case TLV_TYPE.returnPath:
      return { kind: "return-path" };
    default:
      return undefined;
  }
}
