import type { Address, Family } from "./address.ts";

/** One IEEE 802.1Q tag. */
export interface VlanTag {
  /** 0x8100 or 0x88a8. */
  readonly protocol: number;
  /** 0–4095. */
  readonly id: number;
  /** PCP, 0–7. */
  readonly priority: number;
  readonly dropEligible: boolean;
}

/** Source and destination port. */
export interface Ports {
  readonly source: number;
  readonly destination: number;
}

/** The headers of a packet. Offsets are in octets from the first octet that was given. */
export interface ParsedPacket {
  readonly ok: true;
  /** Where the IP header is: 0 without a link layer, else 14 + 4 for every tag. */
  readonly l2Length: number;
  /** Tags, the outermost first. */
  readonly vlans: readonly VlanTag[];
  readonly family: Family;
  readonly source: Address;
  readonly destination: Address;
  /** Transport protocol: for IPv6 the last Next Header, also of a later fragment. */
  readonly protocol: number;
  /** `first`: begins a datagram of several fragments. An atomic fragment (RFC 6946) is `none`. */
  readonly fragment: "none" | "first" | "later";
  /** Identification of the datagram's fragments; absent for IPv6 without a Fragment header. */
  readonly fragmentId: number | undefined;
  /** Of a `later` fragment, in octets; else 0. */
  readonly fragmentOffset: number;
  /** Absent for every fragment, for protocols without, and where they are cut off. */
  readonly ports: Ports | undefined;
  /** IPv4 TOS or IPv6 Traffic Class. */
  readonly trafficClass: number;
  /** IPv6 flow label; 0 for IPv4. */
  readonly flowLabel: number;
  /** TTL or hop limit. */
  readonly hops: number;
  /** As the IP header says: IPv4 total length, IPv6 40 + payload length. */
  readonly l3Length: number;
  /** IPv4 header with options; IPv6 header with extension headers. */
  readonly l3HeaderLength: number;
  /** Start of the transport header, or of the payload of a later fragment. */
  readonly l4Offset: number;
  /** How many IPv6 extension headers there are. */
  readonly extensionHeaders: number;
}

/** A packet that is not read: not IP at all, or not what its headers claim. */
export interface UnparsedPacket {
  readonly ok: false;
  readonly reason: "not_ip" | "unparsable";
}
