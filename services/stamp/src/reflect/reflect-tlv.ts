import { type Address, familyOf } from "@waymark/packet";
import { decodeClassOfService, encodeClassOfService } from "../codec/class-of-service.ts";
import { decodeReturnPath, longAddress, type ReturnPath } from "../codec/return-path.ts";
import { encodeTime } from "../codec/time-stamp.ts";
import { ACCESS_ID } from "../codec/timestamp-method.ts";
import { readTlvs, TLV_FLAG, TLV_TYPE } from "../codec/tlv.ts";
import type { ReflectorPolicy } from "./policy.ts";
import { reflectLocation } from "./reflect-location.ts";
import type { ReflectorClock, Request } from "./request.ts";

/** What TLVs want of the packet that carries the answer. */
export interface AnswerWishes {
  dscp: number | undefined;
  /** Where it goes instead of back to the sender, or that there is to be none. */
  returnPath: ReturnPath | undefined;
  /** Which of the reflector's addresses it comes from. */
  sourceAddress: Address | undefined;
}

/** What a TLV is answered from. */
export interface TlvSurroundings {
  readonly request: Request;
  readonly policy: ReflectorPolicy;
  readonly clock: ReflectorClock;
  readonly wishes: AnswerWishes;
}

/** Whether a TLV was understood; its value is the answer's then. */
export type TlvVerdict = "understood" | "unrecognized" | "malformed";

type Handler = (value: Uint8Array, surroundings: TlvSurroundings) => TlvVerdict;

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [TLV_TYPE.extraPadding, () => "understood"],
  [
    TLV_TYPE.location,
    (value, { request, policy }) => (reflectLocation(value, request, policy) ? "understood" : "malformed"),
  ],
  [TLV_TYPE.timestampInformation, timestampInformation],
  [TLV_TYPE.classOfService, classOfService],
  [TLV_TYPE.directMeasurement, directMeasurement],
  [TLV_TYPE.accessReport, accessReport],
  [TLV_TYPE.followUpTelemetry, followUpTelemetry],
  [TLV_TYPE.hmac, () => "understood"],
  [TLV_TYPE.destinationAddress, destinationAddress],
  [TLV_TYPE.returnPath, returnPath],
]);

/** Answers a TLV of a length that is valid for its type, in place. */
export function reflectTlv(type: number, value: Uint8Array, surroundings: TlvSurroundings): TlvVerdict {
  return HANDLERS.get(type)?.(value, surroundings) ?? "unrecognized";
}

const TIMESTAMP_FIELDS = 4;

function timestampInformation(value: Uint8Array, { clock }: TlvSurroundings): TlvVerdict {
  const subTlvs = value.subarray(TIMESTAMP_FIELDS);
  const { tlvs, brokenAt } = readTlvs(subTlvs);
  if (brokenAt !== undefined) return "malformed";
  value.set([clock.syncSource, clock.receiveMethod, clock.syncSource, clock.transmitMethod]);
  for (const sub of tlvs) subTlvs[sub.at] = TLV_FLAG.unrecognized; // none is defined
  return "understood";
}

function classOfService(value: Uint8Array, { request, policy, wishes }: TlvSurroundings): TlvVerdict {
  const { wantedDscp } = decodeClassOfService(value);
  const isAllowed = policy.isDscpAllowed(wantedDscp);
  wishes.dscp = isAllowed ? wantedDscp : request.dscp;
  const reflected = {
    wantedDscp,
    receivedDscp: request.dscp,
    receivedEcn: request.ecn,
    reversePathRefused: !isAllowed,
  };
  value.set(encodeClassOfService(reflected));
  return "understood";
}

const RECEIVED_AT = 4;
const TRANSMITTED_AT = 8;

/** In-profile packets are the test packets of the session, so that a stateless reflector has nothing to say. */
function directMeasurement(value: Uint8Array, { request: { session } }: TlvSurroundings): TlvVerdict {
  if (session === undefined) return "unrecognized";
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  view.setUint32(RECEIVED_AT, session.received % 2 ** 32);
  view.setUint32(TRANSMITTED_AT, session.transmitted % 2 ** 32);
  return "understood";
}

function accessReport(value: Uint8Array): TlvVerdict {
  const id = (value[0] ?? 0) >> 4;
  if (id !== ACCESS_ID.threeGpp && id !== ACCESS_ID.nonThreeGpp) return "unrecognized";
  value.set([id << 4, value[1] ?? 0, 0, 0]);
  return "understood";
}

function followUpTelemetry(value: Uint8Array, { request, clock }: TlvSurroundings): TlvVerdict {
  value.fill(0);
  const previous = request.session?.previous;
  if (previous === undefined) return "understood";
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  view.setUint32(0, previous.sequence);
  view.setBigUint64(4, encodeTime(previous.transmittedNs, clock.errorEstimate.format, clock.taiOffsetS));
  view.setUint8(12, previous.method);
  return "understood";
}

function destinationAddress(value: Uint8Array, { request, policy, wishes }: TlvSurroundings): TlvVerdict {
  const address = longAddress(value);
  if (wishes.sourceAddress !== undefined || !policy.isOwnAddress(address)) return "unrecognized";
  // an address of the other family is ours, but no answer can come from it
  wishes.sourceAddress = isSameFamily(address, request.destination.address) ? address : request.destination.address;
  return "understood";
}

function returnPath(value: Uint8Array, { request, policy, wishes }: TlvSurroundings): TlvVerdict {
  const reading = decodeReturnPath(value);
  if (reading.kind === "malformed") return "malformed";
  if (reading.kind === "unsupported" || wishes.returnPath !== undefined) return "unrecognized";
  const { path } = reading;
  if (path.kind === "address") {
    const canSend = isSameFamily(path.address, request.source.address) && policy.isReturnAddressAllowed(path.address);
    if (!canSend) return "unrecognized";
  }
  for (const sub of readTlvs(value).tlvs) value[sub.at] = 0;
  wishes.returnPath = path;
  return "understood";
}

function isSameFamily(a: Address, b: Address): boolean {
  return familyOf(a) === familyOf(b);
}
