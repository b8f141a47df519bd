import { mapIpv4 } from "./address.ts";
import type { ParsedPacket, Ports, UnparsedPacket, VlanTag } from "./parsed-packet.ts";
import {
  ETHER_TYPE,
  hasPorts,
  IP_PROTOCOL,
  isExtensionHeader,
  MAX_EXTENSION_HEADERS,
  MAX_VLAN_TAGS,
} from "./protocol.ts";

/** What the first octet is. */
export type LinkLayer =
  | { readonly link: "ethernet" }
  /** `protocol`: the EtherType that the device states; absent: from the IP version. */
  | { readonly link: "raw"; readonly protocol?: number };

const NOT_IP: UnparsedPacket = { ok: false, reason: "not_ip" };
const UNPARSABLE: UnparsedPacket = { ok: false, reason: "unparsable" };

type Network = Omit<ParsedPacket, "ok" | "l2Length" | "vlans">;

/**
 * Reads the headers of a packet. Strict in what it believes: a length that exceeds what is here, a header that is cut
 * off, more than eight extension headers make it unparsable. Never throws and never reads past the end.
 */
export function parsePacket(bytes: Uint8Array, layer: LinkLayer = { link: "ethernet" }): ParsedPacket | UnparsedPacket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const vlans: VlanTag[] = [];
  let offset = 0;
  let etherType: number;
  if (layer.link === "ethernet") {
    if (view.byteLength < 14) return UNPARSABLE;
    etherType = view.getUint16(12);
    offset = 14;
    while (vlans.length < MAX_VLAN_TAGS && (etherType === ETHER_TYPE.vlan || etherType === ETHER_TYPE.qinq)) {
      if (view.byteLength < offset + 4) return UNPARSABLE;
      const tci = view.getUint16(offset);
      vlans.push({ protocol: etherType, id: tci & 0xfff, priority: tci >> 13, dropEligible: (tci & 0x1000) !== 0 });
      etherType = view.getUint16(offset + 2);
      offset += 4;
    }
  } else {
    etherType = layer.protocol ?? etherTypeOfVersion(view);
  }
  if (etherType !== ETHER_TYPE.ipv4 && etherType !== ETHER_TYPE.ipv6) return NOT_IP;
  const network = etherType === ETHER_TYPE.ipv4 ? parseIpv4(bytes, view, offset) : parseIpv6(bytes, view, offset);
  return network === undefined ? UNPARSABLE : { ok: true, l2Length: offset, vlans, ...network };
}

function etherTypeOfVersion(view: DataView): number {
  const version = view.byteLength > 0 ? view.getUint8(0) >> 4 : 0;
  if (version === 4) return ETHER_TYPE.ipv4;
  return version === 6 ? ETHER_TYPE.ipv6 : 0;
}

function parseIpv4(bytes: Uint8Array, view: DataView, at: number): Network | undefined {
  const room = view.byteLength - at;
  if (room < 20) return undefined;
  const first = view.getUint8(at);
  const header = (first & 0xf) * 4;
  const l3Length = view.getUint16(at + 2);
  if (first >> 4 !== 4 || header < 20 || l3Length < header || l3Length > room) return undefined;
  const field = view.getUint16(at + 6);
  const offset = (field & 0x1fff) * 8;
  const more = (field & 0x2000) !== 0;
  const fragment = offset > 0 ? "later" : more ? "first" : "none";
  const protocol = view.getUint8(at + 9);
  return {
    family: 4,
    source: mapIpv4(bytes.subarray(at + 12, at + 16)),
    destination: mapIpv4(bytes.subarray(at + 16, at + 20)),
    protocol,
    fragment,
    fragmentId: view.getUint16(at + 4),
    fragmentOffset: offset,
    ports: fragment === "none" ? readPorts(view, protocol, at + header, at + l3Length) : undefined,
    trafficClass: view.getUint8(at + 1),
    flowLabel: 0,
    hops: view.getUint8(at + 8),
    l3Length,
    l3HeaderLength: header,
    l4Offset: at + header,
    extensionHeaders: 0,
  };
}

interface Chain {
  readonly protocol: number;
  readonly end: number;
  readonly fragment: "none" | "first" | "later";
  readonly fragmentId: number | undefined;
  readonly fragmentOffset: number;
  readonly count: number;
}

function parseIpv6(bytes: Uint8Array, view: DataView, at: number): Network | undefined {
  const room = view.byteLength - at;
  if (room < 40) return undefined;
  const word = view.getUint32(at);
  const l3Length = 40 + view.getUint16(at + 4);
  if (word >>> 28 !== 6 || l3Length > room) return undefined;
  const chain = walkExtensions(view, view.getUint8(at + 6), at + 40, at + l3Length);
  if (chain === undefined) return undefined;
  return {
    family: 6,
    source: bytes.slice(at + 8, at + 24),
    destination: bytes.slice(at + 24, at + 40),
    protocol: chain.protocol,
    fragment: chain.fragment,
    fragmentId: chain.fragmentId,
    fragmentOffset: chain.fragmentOffset,
    ports: chain.fragment === "none" ? readPorts(view, chain.protocol, chain.end, at + l3Length) : undefined,
    trafficClass: (word >>> 20) & 0xff,
    flowLabel: word & 0xfffff,
    hops: view.getUint8(at + 7),
    l3Length,
    l3HeaderLength: chain.end - at,
    l4Offset: chain.end,
    extensionHeaders: chain.count,
  };
}

/** Follows extension headers (RFC 8200 §4) up to the transport header or to the payload of a later fragment. */
function walkExtensions(view: DataView, first: number, start: number, end: number): Chain | undefined {
  let next = first;
  let at = start;
  let count = 0;
  let fragment: "none" | "first" | "later" = "none";
  let fragmentId: number | undefined;
  let fragmentOffset = 0;
  while (isExtensionHeader(next) && fragment !== "later") {
    if (count === MAX_EXTENSION_HEADERS || at + 8 > end) return undefined;
    const following = view.getUint8(at);
    if (next === IP_PROTOCOL.fragment) {
      const field = view.getUint16(at + 2);
      fragmentOffset = field & 0xfff8;
      fragmentId = view.getUint32(at + 4);
      if (fragmentOffset > 0) fragment = "later";
      else if ((field & 1) !== 0) fragment = "first";
      at += 8;
    } else {
      const length = view.getUint8(at + 1);
      at += next === IP_PROTOCOL.ah ? (length + 2) * 4 : (length + 1) * 8;
    }
    next = following;
    count++;
  }
  return at > end ? undefined : { protocol: next, end: at, fragment, fragmentId, fragmentOffset, count };
}

function readPorts(view: DataView, protocol: number, at: number, end: number): Ports | undefined {
  if (!hasPorts(protocol) || at + 4 > end) return undefined;
  return { source: view.getUint16(at), destination: view.getUint16(at + 2) };
}
