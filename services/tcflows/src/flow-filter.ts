import { CommandError } from "@waymark/agent";
import { type Cidr, IP_PROTOCOL, parseCidr } from "@waymark/packet";
import { type TcflowsKey, type TcflowsRule, tcflowsKey } from "../bpf/tcflows.gen.ts";

/** Rules that the packet programs look through; one filter may become two. */
export const MAX_RULES = 64;

/** What a flow must be: everything that is given. */
export interface FlowFilter {
  readonly source?: Cidr;
  readonly destination?: Cidr;
  /** Either end. */
  readonly host?: Cidr;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Either end's. */
  readonly port?: number;
  readonly protocol?: number;
  readonly vlanId?: number;
  readonly etherType?: number;
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: IP_PROTOCOL.icmp,
  igmp: IP_PROTOCOL.igmp,
  tcp: IP_PROTOCOL.tcp,
  udp: IP_PROTOCOL.udp,
  gre: IP_PROTOCOL.gre,
  esp: IP_PROTOCOL.esp,
  icmpv6: IP_PROTOCOL.icmpv6,
  sctp: IP_PROTOCOL.sctp,
};

const PARTS = "src, dst, host (CIDR), proto, sport, dport, port, vlan, ethertype";

/**
 * Reads 'src=CIDR,dst=CIDR,host=CIDR,proto=tcp,sport=N,dport=N,port=N,vlan=N,ethertype=0x0806'; all parts optional, each
 * once.
 * @throws CommandError that names the part
 */
export function parseFlowFilter(text: string): FlowFilter {
  const seen = new Set<string>();
  let filter: FlowFilter = {};
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const [name, value] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    if (at < 1 || value === "") throw new CommandError(`--filter "${text}": "${part}" is not NAME=VALUE with ${PARTS}`);
    if (seen.has(name)) throw new CommandError(`--filter "${text}": ${name} is there twice`);
    seen.add(name);
    filter = { ...filter, ...parsePart(text, name, value) };
  }
  checkTogether(text, filter);
  return filter;
}

function checkTogether(text: string, filter: FlowFilter): void {
  const { etherType, vlanId, ...ofIp } = filter;
  if (etherType !== undefined && Object.keys(ofIp).length > 0) {
    throw new CommandError(`--filter "${text}": ethertype is of what is not IP; only vlan can stand beside it`);
  }
  if (filter.source && filter.destination && filter.source.family !== filter.destination.family) {
    throw new CommandError(`--filter "${text}": src and dst are of different versions of IP; no packet has both`);
  }
  const addressed = filter.source !== undefined || filter.destination !== undefined;
  const ported = filter.sourcePort !== undefined || filter.destinationPort !== undefined;
  if ((filter.host && addressed) || (filter.port !== undefined && ported)) {
    throw new CommandError(
      `--filter "${text}": host and port are for either end; leave out src and dst, sport and dport`,
    );
  }
}

function parsePart(text: string, name: string, value: string): FlowFilter {
  const refuse = (why: string): never => {
    throw new CommandError(`--filter "${text}": ${name}=${value}: ${why}`);
  };
  const cidr = (): Cidr => {
    const result = parseCidr(value);
    return result.ok ? result.cidr : refuse(result.reason);
  };
  const number = (low: number, high: number): number => {
    const parsed = /^(\d+|0x[0-9a-f]+)$/i.test(value) ? Number(value) : Number.NaN;
    return parsed >= low && parsed <= high ? parsed : refuse(`not a number from ${low} to ${high}`);
  };
  switch (name) {
    case "src":
      return { source: cidr() };
    case "dst":
      return { destination: cidr() };
    case "host":
      return { host: cidr() };
    case "sport":
      return { sourcePort: number(1, 65_535) };
    case "dport":
      return { destinationPort: number(1, 65_535) };
    case "port":
      return { port: number(1, 65_535) };
    case "vlan":
      return { vlanId: number(1, 4095) };
    case "ethertype":
      return { etherType: number(1, 65_535) };
    case "proto":
      return { protocol: PROTOCOLS[value.toLowerCase()] ?? number(0, 255) };
    default:
      return refuse(`there is no such part; there are ${PARTS}`);
  }
}

const ANY: TcflowsKey = {
  source: new Uint8Array(16),
  destination: new Uint8Array(16),
  source_port: 0,
  destination_port: 0,
  protocol: 0,
  direction: 0,
  vlan_id: 0,
  ether_type: 0,
  icmp_type: 0,
  icmp_code: 0,
  icmp_id: 0,
  version: 0,
};

/** The kernel's rules for a filter: one, or one for each end that it may be about. */
export function kernelRules(filter: FlowFilter): TcflowsRule[] {
  const { host, port, ...rest } = filter;
  if (!host && port === undefined) return [kernelRule(rest)];
  const hosts: FlowFilter[] = host ? [{ source: host }, { destination: host }] : [{}];
  const ports: FlowFilter[] = port === undefined ? [{}] : [{ sourcePort: port }, { destinationPort: port }];
  return hosts.flatMap((end) => ports.map((other) => kernelRule({ ...rest, ...end, ...other })));
}

/** All rules of some filters. @throws CommandError more than the programs can look through */
export function kernelRulesOf(filters: readonly FlowFilter[]): TcflowsRule[] {
  const rules = filters.flatMap(kernelRules);
  if (rules.length <= MAX_RULES) return rules;
  throw new CommandError(
    `${filters.length} --filter become ${rules.length} rules, more than ${MAX_RULES} (host and port count for both ends); name fewer, or wider CIDRs`,
  );
}

function kernelRule(filter: FlowFilter): TcflowsRule {
  const value = { ...ANY };
  const mask = { ...ANY };
  const match = (
    name: Exclude<keyof TcflowsKey, "source" | "destination">,
    wanted: number | undefined,
    bits: number,
  ) => {
    if (wanted === undefined) return;
    Object.assign(value, { [name]: wanted });
    Object.assign(mask, { [name]: bits });
  };
  match("source_port", filter.sourcePort, 0xffff);
  match("destination_port", filter.destinationPort, 0xffff);
  match("protocol", filter.protocol, 0xff);
  match("vlan_id", filter.vlanId, 0xfff);
  match("ether_type", filter.etherType, 0xffff);
  // A protocol or an address is only one of IP; 0 is a protocol, too.
  const isIp = filter.protocol !== undefined || filter.source !== undefined || filter.destination !== undefined;
  if (isIp) match("ether_type", 0, 0xffff);
  const family = filter.source?.family ?? filter.destination?.family;
  match("version", family, 0xff);
  for (const [name, cidr] of [
    ["source", filter.source],
    ["destination", filter.destination],
  ] as const) {
    if (!cidr) continue;
    Object.assign(value, { [name]: cidr.address });
    Object.assign(mask, { [name]: prefixMask((cidr.family === 4 ? 96 : 0) + cidr.prefixLength) });
  }
  return { value: words(value), mask: words(mask) };
}

function prefixMask(bits: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => 0xff & ~(0xff >> Math.min(8, Math.max(0, bits - 8 * i))));
}

function words(key: TcflowsKey): bigint[] {
  const view = new DataView(new ArrayBuffer(tcflowsKey.size));
  tcflowsKey.encode(view, 0, key, "filter");
  return Array.from({ length: tcflowsKey.size / 8 }, (_, i) => view.getBigUint64(8 * i, true));
}
