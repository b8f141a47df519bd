import { type Address, hasPorts } from "@waymark/packet";
import { TcflowsDirection, type TcflowsKey, tcflowsKey } from "../bpf/tcflows.gen.ts";

/** Octets of a key in the kernel's tables. */
export const KEY_BYTES = tcflowsKey.size;

/**
 * Which flow: the octets of its kernel key, one character each. Short to compare and to look up; `flowKey` reads it.
 */
export type FlowId = string;

/** Seen where: packets that come in by the interface, or leave by it. */
export type Direction = "ingress" | "egress";

/** Who talks to whom. */
export interface FlowKey {
  /** Absent where there is none: no IP, or no record of its own. */
  readonly source: Address | undefined;
  readonly destination: Address | undefined;
  /** 0 where there are none, and for every fragment. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** IP protocol; of IPv6 the last Next Header. 0 where `etherType` is set. */
  readonly protocol: number;
  readonly direction: Direction;
  /** 0 without a tag; the outer one of two. */
  readonly vlanId: number;
  /** Of what is not IP, or says that it is and cannot be read; else 0. */
  readonly etherType: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  readonly icmpId: number;
  /** What found no room in the table: all of this protocol and direction. */
  readonly overflow: boolean;
}

/** In the place of the IP version: not a flow, but what found no room. */
const OVERFLOW_VERSION = 0xff;
/** In the place of an EtherType, of packets without room that are not IP. */
const NOT_IP = 0xffff;

const ICMP = 1;
const ICMPV6 = 58;
/** Questions and answers that carry the same identifier. */
const ICMP_ANSWERS: Readonly<Record<number, Readonly<Record<number, number>>>> = {
  [ICMP]: { 0: 8, 8: 0, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17 },
  [ICMPV6]: { 128: 129, 129: 128 },
};

function octetsOf(id: FlowId): Uint8Array {
  const octets = new Uint8Array(KEY_BYTES);
  for (let i = 0; i < KEY_BYTES; i++) octets[i] = id.charCodeAt(i);
  return octets;
}

function idOf(key: TcflowsKey, version: number): FlowId {
  const octets = new Uint8Array(KEY_BYTES);
  tcflowsKey.encode(new DataView(octets.buffer), 0, { ...key, version }, "flow key");
  return String.fromCharCode(...octets);
}

function kernelKey(id: FlowId): TcflowsKey {
  return tcflowsKey.decode(new DataView(octetsOf(id).buffer), 0);
}

/** The members of a flow's key. */
export function flowKey(id: FlowId): FlowKey {
  const key = kernelKey(id);
  const hasAddresses = key.version === 4 || key.version === 6;
  return {
    source: hasAddresses ? key.source : undefined,
    destination: hasAddresses ? key.destination : undefined,
    sourcePort: key.source_port,
    destinationPort: key.destination_port,
    protocol: key.protocol,
    direction: key.direction === TcflowsDirection.TCFLOWS_INGRESS ? "ingress" : "egress",
    vlanId: key.vlan_id,
    etherType: key.ether_type,
    icmpType: key.icmp_type,
    icmpCode: key.icmp_code,
    icmpId: key.icmp_id,
    overflow: key.version === OVERFLOW_VERSION,
  };
}

const NOWHERE: TcflowsKey = {
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

/** What found no room: of an IP protocol, or (undefined) of all that is not IP. */
export function overflowId(direction: Direction, protocol: number | undefined): FlowId {
  const to = direction === "ingress" ? TcflowsDirection.TCFLOWS_INGRESS : TcflowsDirection.TCFLOWS_EGRESS;
  const what = protocol === undefined ? { ether_type: NOT_IP } : { protocol };
  return idOf({ ...NOWHERE, ...what, direction: to }, OVERFLOW_VERSION);
}

/** The flow of the answers: on the same interface, the other way. Of a flow without addresses: undefined. */
export function reverseId(id: FlowId): FlowId | undefined {
  const key = kernelKey(id);
  if (key.version !== 4 && key.version !== 6) return undefined;
  const answer = ICMP_ANSWERS[key.protocol]?.[key.icmp_type];
  return idOf(
    {
      ...key,
      source: key.destination,
      destination: key.source,
      source_port: key.destination_port,
      destination_port: key.source_port,
      direction: TcflowsDirection.TCFLOWS_INGRESS + TcflowsDirection.TCFLOWS_EGRESS - key.direction,
      icmp_type: answer ?? key.icmp_type,
    },
    key.version,
  );
}

const DIRECTION_AT = 37;
const AFTER_VLAN = 40;
const VERSION_AT = 46;
/** Sources that anybody may use: `::` and `0.0.0.0`. */
const NOBODY: ReadonlySet<string> = new Set(["\0".repeat(16), `${"\0".repeat(10)}\xff\xff${"\0".repeat(4)}`]);

/**
 * What the same packets have in common wherever they pass: everything but direction and VLAN. Undefined where that does not
 * tell them from others: without addresses, and from an unspecified one.
 */
export function tupleId(id: FlowId): string | undefined {
  const version = id.charCodeAt(VERSION_AT);
  if ((version !== 4 && version !== 6) || NOBODY.has(id.slice(0, 16))) return undefined;
  return id.slice(0, DIRECTION_AT) + id.slice(AFTER_VLAN);
}

/** Do packets of this flow have ports? A fragment and a cut-off header have none. */
export function isPorted(key: Pick<FlowKey, "protocol" | "sourcePort" | "destinationPort">): boolean {
  return hasPorts(key.protocol) && (key.sourcePort !== 0 || key.destinationPort !== 0);
}
