import { parseAddress } from "@waymark/packet";
import type { LocationQuestion } from "./codec/location.ts";
import type { RequestTlv } from "./codec/request-tlv.ts";
import { ACCESS_ID, ACCESS_RETURN_CODE } from "./codec/timestamp-method.ts";

/** A TLV, or one line that says why the text is none. */
export type TlvOptionResult =
  | { readonly ok: true; readonly tlv: RequestTlv }
  | { readonly ok: false; readonly reason: string };

type Parser = (value: string) => RequestTlv | string;

const HIGHEST_DSCP = 63;

const PARSERS: ReadonlyMap<string, Parser> = new Map<string, Parser>([
  ["location", location],
  ["timestamp-information", (value) => bare(value, { kind: "timestamp-information" })],
  ["class-of-service", classOfService],
  ["direct-measurement", (value) => bare(value, { kind: "direct-measurement", sentPackets: 0 })],
  ["access-report", accessReport],
  ["follow-up-telemetry", (value) => bare(value, { kind: "follow-up-telemetry" })],
  ["destination-address", destinationAddress],
  ["return-path", returnPath],
]);

/** What `--tlv` takes, for help texts. */
export const TLV_OPTION_FORMS = [
  "location",
  "timestamp-information",
  "class-of-service=DSCP",
  "direct-measurement",
  "access-report=(3gpp|non-3gpp):(available|unavailable)",
  "follow-up-telemetry",
  "destination-address=ADDRESS",
  "return-path=(no-reply|same-link|ADDRESS)",
] as const;

/** Reads one `--tlv NAME[=VALUE]`. */
export function parseTlvOption(text: string): TlvOptionResult {
  const [, name = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(text) ?? [];
  const parser = PARSERS.get(name);
  if (parser === undefined) {
    return { ok: false, reason: `"${name}" is none of ${[...PARSERS.keys()].join(", ")}` };
  }
  const tlv = parser(value);
  return typeof tlv === "string" ? { ok: false, reason: `${name}: ${tlv}` } : { ok: true, tlv };
}

function bare(value: string, tlv: RequestTlv): RequestTlv | string {
  return value === "" ? tlv : `takes no value, not "${value}"`;
}

const QUESTIONS: ReadonlyMap<string, LocationQuestion> = new Map([
  ["mac", "source-mac"],
  ["source", "source-ip"],
  ["destination", "destination-ip"],
] as const);

function location(value: string): RequestTlv | string {
  if (value === "") return { kind: "location", questions: [...QUESTIONS.values()] };
  const questions: LocationQuestion[] = [];
  for (const name of value.split(",")) {
    const question = QUESTIONS.get(name);
    if (question === undefined) return `"${name}" is none of ${[...QUESTIONS.keys()].join(", ")}`;
    questions.push(question);
  }
  return { kind: "location", questions };
}

function classOfService(value: string): RequestTlv | string {
  const dscp = Number(value);
  const isDscp = /^\d{1,2}$/.test(value) && dscp <= HIGHEST_DSCP;
  return isDscp ? { kind: "class-of-service", dscp } : `"${value}" is no DSCP from 0 to ${HIGHEST_DSCP}`;
}

function accessReport(value: string): RequestTlv | string {
  const [, id, code] = /^(3gpp|non-3gpp):(available|unavailable)$/.exec(value) ?? [];
  if (id === undefined) return `"${value}" is not (3gpp|non-3gpp):(available|unavailable)`;
  return {
    kind: "access-report",
    accessId: id === "3gpp" ? ACCESS_ID.threeGpp : ACCESS_ID.nonThreeGpp,
    returnCode: code === "available" ? ACCESS_RETURN_CODE.available : ACCESS_RETURN_CODE.unavailable,
  };
}

function destinationAddress(value: string): RequestTlv | string {
  const address = parseAddress(value);
  return address === undefined ? `"${value}" is no address` : { kind: "destination-address", address };
}

function returnPath(value: string): RequestTlv | string {
  if (value === "no-reply" || value === "same-link") return { kind: "return-path", path: { kind: value } };
  const address = parseAddress(value);
  if (address === undefined) return `"${value}" is not no-reply, same-link or an address`;
  return { kind: "return-path", path: { kind: "address", address } };
}
