/** Which packets a rule is about; absent fields match everything. */
export interface PacketMatch {
  readonly family?: 4 | 6;
  readonly protocol?: "tcp" | "udp" | "icmp" | "icmpv6" | number;
  /** CIDR; decides the family. */
  readonly source?: string;
  /** CIDR; decides the family. */
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** 0–63; needs the family. */
  readonly dscp?: number;
  /** 0–3; needs the family. */
  readonly ecn?: number;
  /** Fragments of either kind ("any"), those that do not begin a datagram ("later"), or none; needs the family. */
  readonly fragment?: "any" | "later" | "none";
}

/** Which of the matching packets are chosen, counted from the moment the rules were applied. Absent: all. */
export type Selection =
  | { readonly every: number; readonly offset?: number }
  | { readonly burst: { readonly length: number; readonly period: number } };

/** What happens to a chosen packet. */
export type RouterAction = "count" | "drop" | "set-ce" | "duplicate" | { readonly setDscp: number };

/** One rule of a LossyRouter. Rules act in order; only `drop` ends the way of a packet. */
export interface RouterRule {
  /** Name of its counter: chosen packets. Letters, digits and `_`. */
  readonly name: string;
  /** From source to sink (default), back, or both with one shared sequence. */
  readonly direction?: "forward" | "reverse" | "both";
  readonly match?: PacketMatch;
  readonly select?: Selection;
  readonly action: RouterAction;
  /** Further counters of the chosen packets, before they are changed: name → one match or several. */
  readonly split?: Readonly<Record<string, PacketMatch | readonly PacketMatch[]>>;
}

/** Begins the names of counters in nft, so that none is a word of its language. */
export const COUNTER_PREFIX = "wm_";

/** Marks packets that were duplicated already, so that the copy is not duplicated again. */
const DUPLICATED_MARK = 0x776d;

/** The devices of a router's two sides. */
export interface RouterDevices {
  /** Where packets towards the sink leave. */
  readonly forward: string;
  /** Where packets towards the source leave. */
  readonly reverse: string;
}

/** @throws {RangeError} a match that nft cannot express without the family */
function matchExpression(match: PacketMatch | undefined): string {
  if (match === undefined) return "";
  const family = match.family ?? familyOf(match.source) ?? familyOf(match.destination);
  const ip = family === 6 ? "ip6" : "ip";
  const needsFamily = match.dscp ?? match.ecn ?? match.fragment;
  if (needsFamily !== undefined && family === undefined) {
    throw new RangeError("a match of dscp, ecn or fragment needs the family");
  }
  const parts: string[] = [];
  if (family !== undefined) parts.push(`meta protocol ${ip}`);
  if (match.source !== undefined) parts.push(`${ip} saddr ${match.source}`);
  if (match.destination !== undefined) parts.push(`${ip} daddr ${match.destination}`);
  if (match.dscp !== undefined) parts.push(`${ip} dscp ${match.dscp}`);
  if (match.ecn !== undefined) parts.push(`${ip} ecn ${match.ecn}`);
  if (match.fragment !== undefined) parts.push(fragmentExpression(family === 6, match.fragment));
  if (match.protocol !== undefined) parts.push(`meta l4proto ${match.protocol}`);
  if (match.sourcePort !== undefined) parts.push(`th sport ${match.sourcePort}`);
  if (match.destinationPort !== undefined) parts.push(`th dport ${match.destinationPort}`);
  return parts.join(" ");
}

function fragmentExpression(ipv6: boolean, fragment: "any" | "later" | "none"): string {
  if (ipv6) {
    if (fragment === "later") return "frag frag-off != 0";
    return fragment === "any" ? "exthdr frag exists" : "exthdr frag missing";
  }
  if (fragment === "later") return "ip frag-off & 0x1fff != 0";
  return `ip frag-off & 0x3fff ${fragment === "any" ? "!=" : "=="} 0`;
}

function familyOf(cidr: string | undefined): 4 | 6 | undefined {
  if (cidr === undefined) return undefined;
  return cidr.includes(":") ? 6 : 4;
}

function selectionExpression(select: Selection | undefined): string {
  if (select === undefined) return "";
  if ("every" in select) {
    const offset = select.offset ?? 0;
    if (select.every < 1 || offset < 0 || offset >= select.every) throw new RangeError("every ≥ 1, 0 ≤ offset < every");
    return `numgen inc mod ${select.every} ${offset}`;
  }
  const { length, period } = select.burst;
  if (length < 1 || length >= period) throw new RangeError("1 ≤ burst.length < burst.period");
  return `numgen inc mod ${period} 0-${length - 1}`;
}

function deviceExpression(direction: RouterRule["direction"], devices: RouterDevices): string {
  if (direction === "both") return `oifname { "${devices.forward}", "${devices.reverse}" }`;
  return `oifname "${direction === "reverse" ? devices.reverse : devices.forward}"`;
}

/** All counter names of some rules. @throws {RangeError} a name that is taken or not a plain word */
export function counterNames(rules: readonly RouterRule[]): string[] {
  const names = rules.flatMap((rule) => [rule.name, ...Object.keys(rule.split ?? {})]);
  for (const [i, name] of names.entries()) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new RangeError(`counter name ${name}: letters, digits and _ only`);
    if (names.indexOf(name) !== i) throw new RangeError(`counter name ${name}: taken`);
  }
  return names;
}

function effects(rule: RouterRule, duplicateTo: string): string[] {
  const split = Object.entries(rule.split ?? {}).flatMap(([name, matches]) =>
    [matches].flat().map((match) => `${matchExpression(match as PacketMatch)} counter name "${COUNTER_PREFIX}${name}"`),
  );
  const { action } = rule;
  if (action === "count") return split;
  if (action === "drop") return [...split, "drop"];
  if (action === "set-ce") return [...split, "meta protocol ip ip ecn set ce", "meta protocol ip6 ip6 ecn set ce"];
  if (action === "duplicate") return [...split, `meta mark set ${DUPLICATED_MARK} dup to "${duplicateTo}"`];
  const dscp = action.setDscp;
  if (!Number.isInteger(dscp) || dscp < 0 || dscp > 63) throw new RangeError("setDscp: 0–63");
  return [...split, `meta protocol ip ip dscp set ${dscp}`, `meta protocol ip6 ip6 dscp set ${dscp}`];
}

/**
 * The nft script that puts these rules in the place of all former ones, in one transaction; counters begin at 0.
 * Duplicates are made where packets leave (netdev egress), everything else in the forward chain.
 * @throws {RangeError} an impossible rule
 */
export function routerScript(rules: readonly RouterRule[], devices: RouterDevices): string {
  counterNames(rules);
  const forwarding = rules.filter((rule) => rule.action !== "duplicate");
  const duplicating = rules.filter((rule) => rule.action === "duplicate");
  for (const rule of duplicating) {
    if (rule.direction === "both") throw new RangeError("duplicate: one direction a rule");
  }
  const counters = (some: readonly RouterRule[]) =>
    counterNames(some).map((name) => `  counter ${COUNTER_PREFIX}${name} { }`);
  const effectChains = (some: readonly RouterRule[], device: string) =>
    some.flatMap((rule) => [`  chain do_${rule.name} {`, ...effects(rule, device).map((line) => `    ${line}`), "  }"]);
  const lines = [
    "table inet waymark { }",
    "delete table inet waymark",
    "table inet waymark {",
    ...counters(forwarding),
    ...effectChains(forwarding, ""),
    "  chain forward {",
    "    type filter hook forward priority 0; policy accept;",
    ...forwarding.map(
      (rule) =>
        `    ${deviceExpression(rule.direction, devices)} ${matchExpression(rule.match)} ${selectionExpression(rule.select)} counter name "${COUNTER_PREFIX}${rule.name}" jump do_${rule.name}`,
    ),
    "  }",
    "}",
  ];
  for (const side of ["forward", "reverse"] as const) {
    const some = duplicating.filter((rule) => (rule.direction ?? "forward") === side);
    const device = devices[side];
    lines.push(`table netdev waymark_${side} { }`, `delete table netdev waymark_${side}`);
    if (some.length === 0) continue;
    lines.push(
      `table netdev waymark_${side} {`,
      ...counters(some),
      ...effectChains(some, device),
      "  chain leave {",
      `    type filter hook egress device "${device}" priority 0; policy accept;`,
      ...some.map(
        (rule) =>
          `    meta mark != ${DUPLICATED_MARK} ${matchExpression(rule.match)} ${selectionExpression(rule.select)} counter name "${COUNTER_PREFIX}${rule.name}" jump do_${rule.name}`,
      ),
      "  }",
      "}",
    );
  }
  return `${lines.join("\n")}\n`;
}
