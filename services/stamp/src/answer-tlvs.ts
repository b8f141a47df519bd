import { formatAddress } from "@waymark/packet";
import type { StampAnswerTlvs } from "../bpf/stamp_sender.gen.ts";
import { BASE_LENGTH, type Mode } from "./codec/mode.ts";
import { type ReplyTlv, type ReplyTlvs, readReplyTlvs } from "./codec/reply-tlv.ts";

/** The TLVs of an answer from the kernel. */
export function answerTlvs(record: StampAnswerTlvs, mode: Mode, key: Uint8Array | undefined): ReplyTlvs {
  const packet = new Uint8Array(BASE_LENGTH[mode] + record.length);
  new DataView(packet.buffer).setUint32(0, record.answer_sequence);
  packet.set(record.octets.subarray(0, record.length), BASE_LENGTH[mode]);
  return readReplyTlvs(mode, packet, key);
}

/** One line for people. */
export function tlvsText(host: string, sequence: number, tlvs: ReplyTlvs): string {
  const parts = tlvs.tlvs.map((tlv) => {
    const fields = Object.entries(fieldsOf(tlv)).map(([name, value]) => `${name}=${value}`);
    return [tlv.kind, ...fields].join(" ");
  });
  if (tlvs.unrecognized.length > 0) parts.push(`not understood: ${tlvs.unrecognized.join(", ")}`);
  if (tlvs.malformed) parts.push("malformed");
  if (tlvs.integrity !== "none") parts.push(`HMAC ${tlvs.integrity}`);
  return `TLVs from ${host}: seq=${sequence} ${parts.join("; ")}`;
}

/** One JSON object. */
export function tlvsJson(host: string, sequence: number, tlvs: ReplyTlvs): string {
  return JSON.stringify({
    type: "tlvs",
    host,
    sequence,
    tlvs: tlvs.tlvs.map((tlv) => ({ kind: tlv.kind, ...fieldsOf(tlv) })),
    unrecognized: tlvs.unrecognized,
    malformed: tlvs.malformed,
    integrity: tlvs.integrity,
  });
}

/** What a TLV says, by name. */
function fieldsOf(tlv: ReplyTlv): Readonly<Record<string, string | number | boolean>> {
  switch (tlv.kind) {
    case "location": {
      const { sourceMac, sourceAddress, destinationAddress, sourcePort, destinationPort } = tlv.location;
      return {
        source_port: sourcePort,
        destination_port: destinationPort,
        ...(sourceAddress && { source_address: formatAddress(sourceAddress) }),
        ...(destinationAddress && { destination_address: formatAddress(destinationAddress) }),
        ...(sourceMac && { source_mac: Buffer.from(sourceMac).toString("hex") }),
      };
    }
    case "timestamp-information":
      return {
        sync_source_in: tlv.syncSourceIn,
        timestamp_in: tlv.timestampIn,
        sync_source_out: tlv.syncSourceOut,
        timestamp_out: tlv.timestampOut,
      };
    case "class-of-service": {
      const { wantedDscp, receivedDscp, receivedEcn, reversePathRefused } = tlv.classOfService;
      return {
        wanted_dscp: wantedDscp,
        received_dscp: receivedDscp,
        received_ecn: receivedEcn,
        refused: reversePathRefused,
      };
    }
    case "direct-measurement":
      return {
        sender_transmitted: tlv.senderTransmitted,
        reflector_received: tlv.reflectorReceived,
        reflector_transmitted: tlv.reflectorTransmitted,
      };
    case "access-report":
      return { access_id: tlv.accessId, return_code: tlv.returnCode };
    case "follow-up-telemetry":
      return {
        answer_sequence: tlv.sequence,
        timestamp: tlv.timestamp.toString(16).padStart(16, "0"),
        method: tlv.method,
      };
    case "extra-padding":
      return { length: tlv.length };
    case "destination-address":
    case "return-path":
      return {};
  }
}
