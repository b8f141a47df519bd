export { type Address, type Family, familyOf, formatAddress, mapIpv4, parseAddress, sameAddress } from "./address.ts";
export {
  buildEthernet,
  buildPacket,
  type EthernetSpec,
  type Ipv4Spec,
  type Ipv6Spec,
  type PacketSpec,
} from "./build-packet.ts";
export { internetChecksum, transportChecksum, updateChecksum, writtenChecksum } from "./checksum.ts";
export { type Cidr, type CidrResult, cidrContains, formatCidr, parseCidr } from "./cidr.ts";
export type { ExtensionHeader } from "./extension-header.ts";
export { protocolName, type Tuple, tupleName } from "./flow-name.ts";
export { fragmentPacket } from "./fragment.ts";
export { type LinkLayer, parsePacket } from "./parse-packet.ts";
export type { ParsedPacket, Ports, UnparsedPacket, VlanTag } from "./parsed-packet.ts";
export { PCAP_LINK, type PcapRecord, readPcap, writePcap } from "./pcap.ts";
export {
  ETHER_TYPE,
  hasPorts,
  IP_PROTOCOL,
  isExtensionHeader,
  MAX_EXTENSION_HEADERS,
  MAX_VLAN_TAGS,
} from "./protocol.ts";
export { parseTcp, TCP_FLAG, type TcpHeader } from "./tcp.ts";
export { buildTcpOptions, parseTcpOptions, type TcpOption } from "./tcp-option.ts";
export type { TransportSpec } from "./transport-spec.ts";
