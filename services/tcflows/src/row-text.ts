import { formatAddress, IP_PROTOCOL } from "@waymark/packet";
import { type FlowKey, flowKey } from "./flow-key.ts";
import type { Row } from "./rows.ts";

/** Gives ports and hosts names, or undefined to show the numbers. */
export interface Names {
  host(address: string): string | undefined;
  port(port: number, protocol: number): string | undefined;
}

/** The ends of a row, as the table shows them. */
export interface RowText {
  readonly protocol: string;
  readonly source: string;
  readonly destination: string;
}

/** The words of the earlier tool's table, and those that it had none for. */
const PROTOCOLS: Readonly<Record<number, string>> = {
  0: "IP",
  [IP_PROTOCOL.icmp]: "ICMP",
  [IP_PROTOCOL.igmp]: "IGMP",
  [IP_PROTOCOL.tcp]: "TCP",
  [IP_PROTOCOL.udp]: "UDP",
  [IP_PROTOCOL.gre]: "GRE",
  [IP_PROTOCOL.esp]: "ESP",
  [IP_PROTOCOL.ah]: "AH",
  [IP_PROTOCOL.icmpv6]: "ICMPv6",
  [IP_PROTOCOL.sctp]: "SCTP",
};

/** Names of EtherTypes (IEEE 802 Numbers); 4 stands for IEEE 802.3 frames with a length. */
const ETHER_TYPES: Readonly<Record<number, string>> = {
  4: "802.3",
  2048: "IPv4?",
  2054: "ARP",
  34525: "IPv6?",
  34887: "MPLS",
  34915: "PPPoE",
  34916: "PPPoE",
  34958: "EAPOL",
  35020: "LLDP",
  35063: "PTP",
  65535: "not IP",
};

/** `TCP`, `other` for an IP protocol without a name, `ARP` or `0x88b5` for what is not IP. */
export function protocolText(key: Pick<FlowKey, "protocol" | "etherType">): string {
  if (key.etherType === 0) return PROTOCOLS[key.protocol] ?? "other";
  return ETHER_TYPES[key.etherType] ?? `0x${key.etherType.toString(16).padStart(4, "0")}`;
}

const NO_ADDRESS = "-";

/** The words of a row. */
export function rowText({ id }: Pick<Row, "id">, names?: Names): RowText {
  if (id === undefined) return { protocol: "all", source: "ended flows", destination: NO_ADDRESS };
  const key = flowKey(id);
  const protocol = protocolText(key);
  if (key.overflow) return { protocol, source: "table full", destination: key.direction };
  const end = (address: Uint8Array | undefined, port: number) =>
    address === undefined ? NO_ADDRESS : endpoint(formatAddress(address), port, key.protocol, names);
  return {
    protocol,
    source: end(key.source, key.sourcePort),
    destination: end(key.destination, key.destinationPort),
  };
}

function endpoint(address: string, port: number, protocol: number, names: Names | undefined): string {
  const host = names?.host(address) ?? (address.includes(":") ? `[${address}]` : address);
  return `${host}:${names?.port(port, protocol) ?? port}`;
}
