/** EtherTypes (IEEE 802 Numbers). */
export const ETHER_TYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd, qinq: 0x88a8 } as const;

/** IP protocol numbers and IPv6 Next Header values (IANA). */
export const IP_PROTOCOL = {
  hopByHop: 0,
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  dccp: 33,
  routing: 43,
  fragment: 44,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  noNextHeader: 59,
  destinationOptions: 60,
  sctp: 132,
  udpLite: 136,
} as const;

/** More tags than these are not looked through. */
export const MAX_VLAN_TAGS = 2;
/** More extension headers than these make a packet unparsable. */
export const MAX_EXTENSION_HEADERS = 8;

/** Is this Next Header value an extension header that a parser walks over? */
export function isExtensionHeader(next: number): boolean {
  const { hopByHop, routing, fragment, destinationOptions, ah } = IP_PROTOCOL;
  return next === hopByHop || next === routing || next === fragment || next === destinationOptions || next === ah;
}

/** Does a header of this protocol begin with two ports? */
export function hasPorts(protocol: number): boolean {
  const { tcp, udp, sctp, udpLite, dccp } = IP_PROTOCOL;
  return protocol === tcp || protocol === udp || protocol === sctp || protocol === udpLite || protocol === dccp;
}
