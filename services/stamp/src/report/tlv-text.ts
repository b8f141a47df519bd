import { formatAddress } from "@waymark/packet";
import type { Location } from "../codec/location.ts";
import type { ReplyTlv, ReplyTlvs } from "../codec/reply-tlv.ts";
import { SYNC_SOURCE, TIMESTAMP_METHOD } from "../codec/timestamp-method.ts";

const SYNC_SOURCES: ReadonlyMap<number, string> = new Map([
  [SYNC_SOURCE.ntp, "NTP"],
  [SYNC_SOURCE.ptp, "PTP"],
  [SYNC_SOURCE.ssuBits, "SSU/BITS"],
  [SYNC_SOURCE.satellite, "satellite"],
  [SYNC_SOURCE.freeRunning, "free-running"],
]);
const METHODS: ReadonlyMap<number, string> = new Map([
  [TIMESTAMP_METHOD.hwAssist, "hardware"],
  [TIMESTAMP_METHOD.swLocal, "software"],
  [TIMESTAMP_METHOD.controlPlane, "control plane"],
]);

/** What the TLVs of an answer say, one line each; none for Extra Padding. */
export function tlvLines(reply: ReplyTlvs): readonly string[] {
  const lines = reply.tlvs.flatMap((tlv) => lineOf(tlv) ?? []);
  if (reply.unrecognized.length > 0)
    lines.push(`not understood by the reflector: TLV ${reply.unrecognized.join(", ")}`);
  if (reply.malformed) lines.push("a TLV is malformed; what follows it was not read");
  if (reply.integrity === "failed") lines.push("TLVs discarded: their HMAC is wrong or missing");
  return lines;
}

/** What the TLVs of an answer say, as a JSON object: a field for each kind that is there. */
export function tlvFields(reply: ReplyTlvs): Record<string, unknown> {
  const fields = reply.tlvs.map((tlv) => [tlv.kind.replaceAll("-", "_"), plain(valuesOf(tlv))] as const);
  const { unrecognized, malformed, integrity } = reply;
  return { ...Object.fromEntries(fields), unrecognized, malformed, integrity };
}

function valuesOf(tlv: ReplyTlv): object {
  if (tlv.kind === "location") return tlv.location;
  if (tlv.kind === "class-of-service") return tlv.classOfService;
  const { kind: _, ...values } = tlv;
  return values;
}

function lineOf(tlv: ReplyTlv): string | undefined {
  switch (tlv.kind) {
    case "extra-padding":
      return undefined;
    case "location":
      return `location: ${locationText(tlv.location)}`;
    case "timestamp-information": {
      const into = `${named(METHODS, tlv.timestampIn)} (${named(SYNC_SOURCES, tlv.syncSourceIn)})`;
      const out = `${named(METHODS, tlv.timestampOut)} (${named(SYNC_SOURCES, tlv.syncSourceOut)})`;
      return `time stamps: T2 by ${into}, T3 by ${out}`;
    }
    case "class-of-service": {
      const { wantedDscp, receivedDscp, receivedEcn, reversePathRefused } = tlv.classOfService;
      const back = reversePathRefused
        ? `DSCP ${wantedDscp} refused for the answer`
        : `answered with DSCP ${wantedDscp}`;
      return `class of service: arrived with DSCP ${receivedDscp} and ECN ${receivedEcn}, ${back}`;
    }
    case "direct-measurement": {
      const { senderTransmitted, reflectorReceived, reflectorTransmitted } = tlv;
      return `direct measurement: sent ${senderTransmitted}, reflector received ${reflectorReceived}, sent ${reflectorTransmitted}`;
    }
    case "access-report":
      return "access report: acknowledged";
    case "follow-up-telemetry":
      return tlv.timestamp === 0n
        ? "follow-up: no time of an earlier answer"
        : `follow-up: T3 of answer ${tlv.sequence} by ${named(METHODS, tlv.method)}`;
    case "destination-address":
      return "destination address: the reflector's own";
    case "return-path":
      return "return path: as asked for";
  }
}

function locationText({ sourcePort, destinationPort, sourceAddress, destinationAddress, sourceMac }: Location): string {
  const end = (address: Uint8Array | undefined, port: number) =>
    `${address === undefined ? "?" : formatAddress(address)} port ${port}`;
  const mac = sourceMac === undefined ? "" : `, from MAC ${macText(sourceMac)}`;
  return `arrived from ${end(sourceAddress, sourcePort)} to ${end(destinationAddress, destinationPort)}${mac}`;
}

function macText(mac: Uint8Array): string {
  return Array.from(mac, (octet) => octet.toString(16).padStart(2, "0")).join(":");
}

function named(names: ReadonlyMap<number, string>, number: number): string {
  return names.get(number) ?? `method ${number}`;
}

/** Snake case, addresses as text, 64-bit numbers as decimal strings. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return value.length === 16 ? formatAddress(value) : macText(value);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [snake(name), plain(each)]);
  return Object.fromEntries(entries);
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
