import { createHash } from "node:crypto";
import { type Cidr, formatCidr, parseCidr } from "@waymark/packet";

/** The path and flow that everything belongs to when nothing else was said. */
export const DEFAULT_PATH = "default";
export const DEFAULT_FLOW = "default";
/** Where a full per-flow table counts. */
export const OTHER_FLOW = "other";
/** The kernel looks at so many rules at the most (ALTMARK_MAX_RULES). */
export const MAX_RULES = 64;

/** A class of packets on a path. What is absent matches everything; every fragment is without ports. */
export interface FlowRule {
  readonly path: string;
  readonly flow: string;
  readonly source?: Cidr;
  readonly destination?: Cidr;
  /** IP protocol number. */
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}

/** A rule that cannot be understood; the message names the part and shows the form. */
export class FlowRuleError extends Error {
  override readonly name = "FlowRuleError";
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  ospf: 89,
  sctp: 132,
};
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const FORM = "NAME=src=CIDR,dst=CIDR,proto=udp,sport=N,dport=N";

/** True for what may be a path's or a flow's name. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/**
 * Reads one `--flow`: `NAME=src=CIDR,dst=CIDR,proto=udp,sport=N,dport=N`, each part at most once, in any order; `NAME=`
 * alone matches everything. `PATH/NAME=…` says which path it is of when there are several.
 *
 * @throws FlowRuleError
 */
export function parseFlowRule(text: string, paths: readonly string[]): FlowRule {
  const equals = text.indexOf("=");
  if (equals < 1) throw new FlowRuleError(`flow "${text}" has no name; write ${FORM}`);
  const { path, flow } = parseName(text.slice(0, equals), paths);
  const seen = new Map<string, string>();
  for (const part of text.slice(equals + 1).split(",")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const key = at < 0 ? part : part.slice(0, at);
    if (at < 0 || !["src", "dst", "proto", "sport", "dport"].includes(key)) {
      throw new FlowRuleError(`flow "${text}": "${part}" is not src=, dst=, proto=, sport= or dport=; write ${FORM}`);
    }
    if (seen.has(key)) throw new FlowRuleError(`flow "${text}": ${key} is there twice`);
    seen.set(key, part.slice(at + 1));
  }
  const source = cidr(text, "src", seen.get("src"));
  const destination = cidr(text, "dst", seen.get("dst"));
  const protocol = protocolNumber(text, seen.get("proto"));
  const sourcePort = port(text, "sport", seen.get("sport"));
  const destinationPort = port(text, "dport", seen.get("dport"));
  if (source && destination && source.family !== destination.family) {
    throw new FlowRuleError(`flow "${text}": src is IPv${source.family} and dst IPv${destination.family}`);
  }
  return {
    path,
    flow,
    ...(source && { source }),
    ...(destination && { destination }),
    ...(protocol !== undefined && { protocol }),
    ...(sourcePort !== undefined && { sourcePort }),
    ...(destinationPort !== undefined && { destinationPort }),
  };
}

function parseName(name: string, paths: readonly string[]): { path: string; flow: string } {
  const slash = name.indexOf("/");
  const flow = name.slice(slash + 1);
  const path = slash < 0 ? paths[0] : name.slice(0, slash);
  if (slash < 0 && paths.length > 1) {
    throw new FlowRuleError(`flow "${name}": there are ${paths.length} paths, write PATH/${name}`);
  }
  if (path === undefined || !paths.includes(path)) {
    throw new FlowRuleError(`flow "${name}": there is no --path ${path ?? ""}`);
  }
  if (!isName(flow) || flow === OTHER_FLOW) {
    throw new FlowRuleError(`flow name "${flow}" is not 1 to 64 of A-Z a-z 0-9 _ . - (nor "${OTHER_FLOW}")`);
  }
  return { path, flow };
}

function cidr(rule: string, key: string, text: string | undefined): Cidr | undefined {
  if (text === undefined) return undefined;
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new FlowRuleError(`flow "${rule}": ${key}=${text}: ${parsed.reason}`);
  return parsed.cidr;
}

function protocolNumber(rule: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const named = PROTOCOLS[text.toLowerCase()];
  if (named !== undefined) return named;
  const value = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 255)) {
    throw new FlowRuleError(`flow "${rule}": proto=${text} is not 0 to 255 or ${Object.keys(PROTOCOLS).join(", ")}`);
  }
  return value;
}

function port(rule: string, key: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= 65_535)) throw new FlowRuleError(`flow "${rule}": ${key}=${text} is not 1 to 65535`);
  return value;
}

/**
 * What both ends of a path must have alike: 64 bits over its rules in order and whether flows are told apart.
 * An end with other rules counts other packets, so the collector compares this.
 */
export function ruleHash(rules: readonly FlowRule[], perFlow: boolean): bigint {
  const canonical = rules.map((rule) => [
    rule.flow,
    rule.source ? formatCidr(rule.source) : "",
    rule.destination ? formatCidr(rule.destination) : "",
    rule.protocol ?? "",
    rule.sourcePort ?? "",
    rule.destinationPort ?? "",
  ]);
  return createHash("sha256")
    .update(JSON.stringify([perFlow, canonical]))
    .digest()
    .readBigUInt64BE();
}

/**
 * The first two rules of different paths that one packet could match, if any: a sink cannot tell such paths apart,
 * since all share one mark. Rules are told apart by disjoint CIDRs alone.
 */
export function overlapOfPaths(rules: readonly FlowRule[]): readonly [FlowRule, FlowRule] | undefined {
  for (const [i, a] of rules.entries()) {
    for (const b of rules.slice(i + 1)) {
      if (a.path !== b.path && !disjoint(a.source, b.source) && !disjoint(a.destination, b.destination)) return [a, b];
    }
  }
  return undefined;
}

function disjoint(a: Cidr | undefined, b: Cidr | undefined): boolean {
  if (!a || !b) return false;
  if (a.family !== b.family) return true;
  const offset = a.family === 4 ? 96 : 0;
  const bits = offset + Math.min(a.prefixLength, b.prefixLength);
  for (let bit = 0; bit < bits; bit++) {
    const mask = 0x80 >> (bit & 7);
    if (((a.address[bit >> 3] ?? 0) & mask) !== ((b.address[bit >> 3] ?? 0) & mask)) return true;
  }
  return false;
}
