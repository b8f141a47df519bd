import { type Address, familyOf, parseAddress } from "./address.ts";
import { internetChecksum } from "./checksum.ts";
import { buildExtension, type ExtensionHeader, extensionNumber } from "./extension-header.ts";
import { concat, setUint16, words } from "./octets.ts";
import type { VlanTag } from "./parsed-packet.ts";
import { ETHER_TYPE } from "./protocol.ts";
import { buildTransport, protocolOf, type TransportSpec } from "./transport-spec.ts";

/** An Ethernet header to build. */
export interface EthernetSpec {
  /** `aa:bb:cc:dd:ee:ff`; default 02:00:00:00:00:02. */
  readonly destination?: string;
  /** Default 02:00:00:00:00:01. */
  readonly source?: string;
  /** The outermost first. */
  readonly vlans?: readonly Partial<VlanTag>[];
}

/** An IPv4 header to build. */
export interface Ipv4Spec {
  /** Dotted. */
  readonly source: string;
  readonly destination: string;
  readonly tos?: number;
  /** Default 64. */
  readonly ttl?: number;
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly moreFragments?: boolean;
  /** In octets, a multiple of 8. */
  readonly fragmentOffset?: number;
  /** A multiple of 4 octets, at most 40. */
  readonly options?: Uint8Array;
}

/** An IPv6 header to build. */
export interface Ipv6Spec {
  readonly source: string;
  readonly destination: string;
  readonly trafficClass?: number;
  readonly flowLabel?: number;
  /** Default 64. */
  readonly hopLimit?: number;
  readonly extensions?: readonly ExtensionHeader[];
}

/** A packet to build: with `ethernet` a frame (without FCS), otherwise from the IP header on. */
export interface PacketSpec {
  readonly ethernet?: EthernetSpec;
  readonly ipv4?: Ipv4Spec;
  readonly ipv6?: Ipv6Spec;
  readonly transport: TransportSpec;
}

/**
 * The octets of a packet, with right lengths and checksums.
 * @throws {RangeError} not exactly one of ipv4 and ipv6, an address of the other family, or a field out of range
 */
export function buildPacket(spec: PacketSpec): Uint8Array {
  const { ipv4, ipv6 } = spec;
  if ((ipv4 === undefined) === (ipv6 === undefined)) throw new RangeError("a packet is either IPv4 or IPv6");
  const l3 = ipv4 ? buildIpv4(ipv4, spec.transport) : buildIpv6(ipv6 as Ipv6Spec, spec.transport);
  if (spec.ethernet === undefined) return l3;
  return concat(buildEthernet(spec.ethernet, ipv4 ? ETHER_TYPE.ipv4 : ETHER_TYPE.ipv6), l3);
}

/** An Ethernet header with its tags, in front of something of this EtherType. @throws {RangeError} */
export function buildEthernet(spec: EthernetSpec, etherType: number): Uint8Array {
  const tags = (spec.vlans ?? []).map((tag) => {
    const tci = ((tag.priority ?? 0) << 13) | (tag.dropEligible ? 0x1000 : 0) | (tag.id ?? 1);
    return words([2, tag.protocol ?? ETHER_TYPE.vlan], [2, tci]);
  });
  const addresses = [mac(spec.destination ?? "02:00:00:00:00:02"), mac(spec.source ?? "02:00:00:00:00:01")];
  return concat(...addresses, ...tags, words([2, etherType]));
}

function mac(text: string): Uint8Array {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new RangeError(`"${text}" is no MAC address`);
  return Uint8Array.from(text.split(":"), (octet) => Number.parseInt(octet, 16));
}

function address(text: string, family: 4 | 6): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined || (family === 4 && familyOf(parsed) !== 4)) {
    throw new RangeError(`"${text}" is no IPv${family} address`);
  }
  return parsed;
}

function buildIpv4(spec: Ipv4Spec, transport: TransportSpec): Uint8Array {
  const [source, destination] = [address(spec.source, 4), address(spec.destination, 4)];
  const options = spec.options ?? new Uint8Array(0);
  const offset = spec.fragmentOffset ?? 0;
  if (options.length % 4 !== 0 || options.length > 40) throw new RangeError("IPv4 options: 4n octets, at most 40");
  if (offset % 8 !== 0 || offset > 0xfff8) throw new RangeError("fragment offset: 8n, at most 65528");
  const payload = buildTransport(transport, 4, source, destination);
  const flags = (spec.dontFragment ? 0x4000 : 0) | (spec.moreFragments ? 0x2000 : 0);
  const header = concat(
    words([1, 0x40 | (5 + options.length / 4)], [1, spec.tos ?? 0], [2, 20 + options.length + payload.length]),
    words([2, spec.id ?? 0], [2, flags | (offset / 8)], [1, spec.ttl ?? 64], [1, protocolOf(transport, 4)], [2, 0]),
    source.subarray(12),
    destination.subarray(12),
    options,
  );
  setUint16(header, 10, internetChecksum(header));
  return concat(header, payload);
}

function buildIpv6(spec: Ipv6Spec, transport: TransportSpec): Uint8Array {
  const [source, destination] = [address(spec.source, 6), address(spec.destination, 6)];
  const [trafficClass, flowLabel] = [spec.trafficClass ?? 0, spec.flowLabel ?? 0];
  if (flowLabel < 0 || flowLabel > 0xfffff) throw new RangeError("flow label: 20 bits");
  if (trafficClass < 0 || trafficClass > 0xff) throw new RangeError("traffic class: 8 bits");
  const extensions = spec.extensions ?? [];
  const last = protocolOf(transport, 6);
  const chain = extensions.map((header, i) => {
    const following = extensions[i + 1];
    return buildExtension(header, following ? extensionNumber(following) : last);
  });
  const payload = concat(...chain, buildTransport(transport, 6, source, destination));
  const [first] = extensions;
  return concat(
    words([4, (6 * 0x100 + trafficClass) * 0x100000 + flowLabel], [2, payload.length]),
    words([1, first ? extensionNumber(first) : last], [1, spec.hopLimit ?? 64]),
    source,
    destination,
    payload,
  );
}
