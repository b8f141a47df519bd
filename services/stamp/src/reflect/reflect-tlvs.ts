import { BASE_LENGTH } from "../codec/mode.ts";
import { hasValidLength, readTlvs, TLV_FLAG, TLV_TYPE, type Tlv, type TlvChain } from "../codec/tlv.ts";
import { sealTlvs, tlvIntegrity } from "../codec/tlv-hmac.ts";
import { reflectTlv, type TlvSurroundings } from "./reflect-tlv.ts";
import type { TlvOutcome } from "./tlv-outcome.ts";

/** Of a received TLV's flags, those that say something. */
const KNOWN_FLAGS = TLV_FLAG.unrecognized | TLV_FLAG.malformed;
const FLAGS = { understood: 0, unrecognized: TLV_FLAG.unrecognized, malformed: TLV_FLAG.malformed };
const FOLLOW_UP_FIELDS = 12;

/**
 * Answers the TLVs of a request (RFC 8972 section 4). Each keeps its place and length.
 * @param octets the request
 * @param answer a copy of it behind the answer's own base packet; changed in place
 */
export function reflectTlvs(
  octets: Uint8Array,
  answer: Uint8Array,
  key: Uint8Array | undefined,
  surroundings: TlvSurroundings,
  outcome: TlvOutcome,
): void {
  const { mode } = surroundings.policy;
  const received = octets.subarray(BASE_LENGTH[mode]);
  if (received.length === 0) return;
  const tlvs = answer.subarray(BASE_LENGTH[mode]);
  const chain = readTlvs(tlvs);
  const integrity = tlvIntegrity(mode, octets.subarray(0, 4), received, key);
  if (integrity === "failed") {
    distrust(tlvs, chain, outcome);
    return;
  }
  reflectEach(tlvs, chain, surroundings, outcome);
  if (integrity === "verified" && key !== undefined) sealTlvs(answer.subarray(0, 4), tlvs, key);
}

/** Each in turn, up to the first that is malformed. */
function reflectEach(tlvs: Uint8Array, chain: TlvChain, surroundings: TlvSurroundings, outcome: TlvOutcome): void {
  for (const tlv of chain.tlvs) {
    const verdict = hasValidLength(tlv) ? reflectTlv(tlv.type, tlv.value, surroundings) : "malformed";
    outcome[verdict] += 1;
    tlvs[tlv.at] = FLAGS[verdict];
    if (verdict === "malformed") {
      clearMalformed(tlv);
      return;
    }
  }
  if (chain.brokenAt !== undefined) markBroken(tlvs, chain.brokenAt, outcome);
}

/** The TLVs go back as they came, each with I; nothing in them is used. */
function distrust(tlvs: Uint8Array, chain: TlvChain, outcome: TlvOutcome): void {
  for (const tlv of chain.tlvs) {
    tlvs[tlv.at] = (tlv.flags & KNOWN_FLAGS) | TLV_FLAG.integrity;
    outcome.integrityFailed += 1;
  }
  if (chain.brokenAt !== undefined) markBroken(tlvs, chain.brokenAt, outcome);
}

/** The rest does not hold a TLV; its first octet is where the flags of one would be. */
function markBroken(tlvs: Uint8Array, at: number, outcome: TlvOutcome): void {
  tlvs[at] = ((tlvs[at] ?? 0) & TLV_FLAG.unrecognized) | TLV_FLAG.malformed;
  outcome.malformed += 1;
}

/** A Follow-Up Telemetry TLV of another length has its number and time zeroed (RFC 8972 section 4.7). */
function clearMalformed({ type, value }: Tlv): void {
  if (type === TLV_TYPE.followUpTelemetry) value.fill(0, 0, FOLLOW_UP_FIELDS);
}
