import { type Address, sameAddress } from "@waymark/packet";
import { errorEstimateBits } from "../codec/error-estimate.ts";
import { isSealed, sealPacket } from "../codec/hmac.ts";
import { LONGEST_PACKET } from "../codec/mode.ts";
import { encodeReflectorPacket } from "../codec/reflector-packet.ts";
import { decodeSenderPacket, type SenderPacket } from "../codec/sender-packet.ts";
import { encodeTime } from "../codec/time-stamp.ts";
import { isAnswer } from "./is-answer.ts";
import type { ReflectorPolicy } from "./policy.ts";
import type { AnswerWishes } from "./reflect-tlv.ts";
import { reflectTlvs } from "./reflect-tlvs.ts";
import type { Endpoint, ReflectorClock, Request } from "./request.ts";
import { noTlvs, type TlvOutcome } from "./tlv-outcome.ts";

/** What a reflector does with a request. */
export type Reflection = Answered | Unanswered;

/** An answer to send, with TTL or hop limit 255. */
export interface Answered {
  readonly kind: "answer";
  /** The UDP payload: as long as the request, or as the base packet if that was shorter. */
  readonly octets: Uint8Array;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly dscp: number;
  readonly ecn: number;
  /** It has to leave by the interface that the request came by. */
  readonly sameLink: boolean;
  readonly tlvs: TlvOutcome;
}

/** No answer, and why: no request at all, one that cannot be believed, or one that asks for none (RFC 9503). */
export interface Unanswered {
  readonly kind: "none";
  readonly reason: "malformed" | "answer" | "bad_hmac" | "no_reply_requested";
  readonly tlvs: TlvOutcome;
}

/**
 * Answers a request by RFC 8762 section 4.3 and RFC 8972, all of its TLVs included. Whom to answer at all and how often has
 * been decided before; the session's number is given, and is used by an answer alone.
 */
export function reflect(request: Request, policy: ReflectorPolicy, clock: ReflectorClock): Reflection {
  const { mode } = policy;
  const { octets } = request;
  const tlvs = noTlvs();
  const none = (reason: Unanswered["reason"]): Unanswered => ({ kind: "none", reason, tlvs });
  const packet = octets.length > LONGEST_PACKET ? undefined : decodeSenderPacket(mode, octets);
  if (packet === undefined) return none("malformed");
  if (isAnswer(mode, octets)) return none("answer");
  const key = policy.key(packet.ssid);
  if (mode === "authenticated" && !(key !== undefined && isSealed(octets, key))) return none("bad_hmac");

  const base = encodeBase(packet, request, policy, clock);
  const answer = new Uint8Array(Math.max(octets.length, base.length));
  answer.set(octets);
  answer.set(base);
  const wishes: AnswerWishes = { dscp: undefined, returnPath: undefined, sourceAddress: undefined };
  reflectTlvs(octets, answer, key, { request, policy, clock, wishes }, tlvs);
  if (wishes.returnPath?.kind === "no-reply") return none("no_reply_requested");
  if (mode === "authenticated" && key !== undefined) sealPacket(answer, key);
  return {
    kind: "answer",
    octets: answer,
    source: at(request.destination, wishes.sourceAddress),
    destination: at(request.source, wishes.returnPath?.kind === "address" ? wishes.returnPath.address : undefined),
    dscp: wishes.dscp ?? (policy.dscp === "copy" ? request.dscp : policy.dscp),
    ecn: policy.copyEcn ? request.ecn : 0,
    sameLink: wishes.returnPath?.kind === "same-link",
    tlvs,
  };
}

function encodeBase(
  packet: SenderPacket,
  request: Request,
  { mode }: ReflectorPolicy,
  clock: ReflectorClock,
): Uint8Array {
  const time = (unixNs: bigint) => encodeTime(unixNs, clock.errorEstimate.format, clock.taiOffsetS);
  return encodeReflectorPacket(mode, {
    sequence: request.session === undefined ? packet.sequence : request.session.sequence % 2 ** 32,
    timestamp: time(clock.transmitNs),
    errorEstimate: errorEstimateBits(clock.errorEstimate),
    ssid: packet.ssid,
    receiveTimestamp: time(request.receivedNs),
    senderSequence: packet.sequence,
    senderTimestamp: packet.timestamp,
    senderErrorEstimate: packet.errorEstimate,
    senderTtl: request.ttl,
  });
}

/** The endpoint, at another address if there is one. */
function at(endpoint: Endpoint, address: Address | undefined): Endpoint {
  if (address === undefined || sameAddress(address, endpoint.address)) return endpoint;
  return { address, port: endpoint.port };
}
