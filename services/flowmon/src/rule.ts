import { type Cidr, parseCidr } from "@waymark/packet";
import { PROTOCOL_CLASSES, type ProtocolClass } from "./protocol-class.ts";

/** Which packets are measured: all parts must fit; an empty part fits everything. */
export interface Rule {
  readonly sources: readonly Cidr[];
  readonly destinations: readonly Cidr[];
  readonly sourcePorts: readonly number[];
  readonly destinationPorts: readonly number[];
  /** Never empty. */
  readonly protocols: readonly ProtocolClass[];
}

/** A rule that cannot be understood; the message names the part and shows the correct form. */
export class RuleError extends Error {
  override readonly name = "RuleError";
}

const FORM = '"SRC DST SPORT DPORT PROTO", as in "1.1.1.1 2.2.2.2 - 22 TCP"';
const ANY = "-";

/**
 * Reads a rule: source, destination, source port, destination port, protocol, separated by spaces; `-` for any, lists
 * without spaces as `[TCP,UDP]`. Addresses may be ranges (10.0.0.0/8, 2001:db8::/32).
 *
 * @throws RuleError
 */
export function parseRule(text: string): Rule {
  const fields = splitFields(text);
  if (fields.length !== 5) {
    throw new RuleError(`"${text}" has ${fields.length} parts instead of 5; write ${FORM}`);
  }
  const [source, destination, sourcePort, destinationPort, protocol] = fields.map((field) => listOf(text, field));
  const rule = {
    sources: addresses(text, source),
    destinations: addresses(text, destination),
    sourcePorts: ports(text, sourcePort),
    destinationPorts: ports(text, destinationPort),
    protocols: protocols(text, protocol),
  };
  const ported = rule.sourcePorts.length > 0 || rule.destinationPorts.length > 0;
  if (ported && rule.protocols.every((name) => name === "ICMP")) {
    throw new RuleError(`"${text}": ICMP has no ports; write - in their places`);
  }
  return rule;
}

/** Words; a bracket that is open at a word's end is a space in a list. */
function splitFields(text: string): string[] {
  const list = /\[[^[\]]*\s[^[\]]*\]/.exec(text)?.[0];
  if (list !== undefined) {
    throw new RuleError(`"${text}" has a space in the list ${list}; write ${list.replaceAll(/\s+/g, "")}`);
  }
  return text.trim().split(/\s+/);
}

/** Undefined for any. */
function listOf(rule: string, field: string): readonly string[] | undefined {
  if (field === ANY) return undefined;
  if (!field.includes("[") && !field.includes("]") && !field.includes(",")) return [field];
  const inner = /^\[([^[\]]+)\]$/.exec(field)?.[1];
  const items = inner?.split(",");
  if (items === undefined || items.includes("")) {
    const words = field.split(/[[\],]+/).filter((word) => word !== "");
    throw new RuleError(`"${rule}": ${field} is no list; write [${words.join(",")}]`);
  }
  if (items.includes(ANY)) throw new RuleError(`"${rule}": ${field} holds -; write - alone for any`);
  return items;
}

function addresses(rule: string, texts: readonly string[] | undefined): Cidr[] {
  return (texts ?? []).map((text) => {
    const parsed = parseCidr(text);
    if (!parsed.ok) throw new RuleError(`"${rule}": ${parsed.reason}; write an address or a range such as 10.0.0.0/8`);
    return parsed.cidr;
  });
}

function ports(rule: string, texts: readonly string[] | undefined): number[] {
  return (texts ?? []).map((text) => {
    const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 1 && value <= 65_535)) {
      throw new RuleError(`"${rule}": port ${text} is not 1 to 65535 or - for any`);
    }
    return value;
  });
}

function protocols(rule: string, texts: readonly string[] | undefined): ProtocolClass[] {
  if (texts === undefined) return [...PROTOCOL_CLASSES];
  return texts.map((text) => {
    const found = PROTOCOL_CLASSES.find((name) => name === text.toUpperCase());
    if (found === undefined) throw new RuleError(`"${rule}": protocol ${text} is not TCP, UDP, ICMP, a list or -`);
    return found;
  });
}
