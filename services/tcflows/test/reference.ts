import { formatAddress, hasPorts, IP_PROTOCOL, type ParsedPacket, parsePacket } from "@waymark/packet";

/** A frame as it was seen. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly direction: "ingress" | "egress";
  /** Octets on the wire, if it was cut. */
  readonly length?: number;
}

/** What belongs to a flow. */
export interface FlowSums {
  readonly packets: number;
  readonly l3Bytes: number;
  readonly l2Bytes: number;
  readonly tcpFlags: number;
  /** Of the last packet. */
  readonly dscp: number;
  /** Destination and source of the last frame, in hexadecimal. */
  readonly macs: string;
}

/** The flow of a frame and what it adds to it, slowly and in plain words, by the other parser. */
export function flowOf({ bytes, direction, length = bytes.length }: Frame): readonly [string, FlowSums] {
  const packet = parsePacket(bytes, { link: "ethernet" });
  const macs = Buffer.from(bytes.subarray(0, 12)).toString("hex");
  const common = { packets: 1, l2Bytes: length, macs };
  const { vlan, etherType, l2Length } = linkOf(bytes);
  if (!packet.ok) {
    const l3Bytes = length - Math.min(l2Length, length);
    return [`${direction} vlan ${vlan} type ${etherType}`, { ...common, l3Bytes, tcpFlags: 0, dscp: 0 }];
  }
  const { protocol, ports = { source: 0, destination: 0 } } = packet;
  const end = (address: Uint8Array, port: number) => `${formatAddress(address)} ${port}`;
  const ends = `${end(packet.source, ports.source)} > ${end(packet.destination, ports.destination)}`;
  const sums = { l3Bytes: packet.l3Length, tcpFlags: tcpFlags(bytes, packet), dscp: packet.trafficClass >> 2 };
  return [`${direction} vlan ${vlan} ip ${protocol} ${ends} icmp ${icmpOf(bytes, packet)}`, { ...common, ...sums }];
}

/** All flows of some frames. */
export function flowsOf(frames: Iterable<Frame>): Map<string, FlowSums> {
  const flows = new Map<string, FlowSums>();
  for (const frame of frames) {
    const [name, sums] = flowOf(frame);
    const before = flows.get(name);
    flows.set(name, before ? add(before, sums) : sums);
  }
  return flows;
}

function add(a: FlowSums, b: FlowSums): FlowSums {
  return {
    packets: a.packets + b.packets,
    l3Bytes: a.l3Bytes + b.l3Bytes,
    l2Bytes: a.l2Bytes + b.l2Bytes,
    tcpFlags: a.tcpFlags | b.tcpFlags,
    dscp: b.dscp,
    macs: b.macs,
  };
}

/** VLAN of the outer tag, the EtherType behind two tags at the most, and where the packet begins. A tag that is cut off is
 * none: the frame is of the outer type. */
function linkOf(bytes: Uint8Array): { vlan: number; etherType: number; l2Length: number } {
  const word = (at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  const isTag = (type: number) => type === 0x8100 || type === 0x88a8;
  let at = 12;
  while (at < 20 && isTag(word(at)) && bytes.length >= at + 6) at += 4;
  if (at < 20 && isTag(word(at))) at = 12;
  const tagged = isTag(word(12)) && bytes.length >= 18;
  const type = word(at);
  return { vlan: tagged ? word(14) & 0xfff : 0, etherType: type < 0x600 ? 4 : type, l2Length: at + 2 };
}

function tcpFlags(bytes: Uint8Array, packet: ParsedPacket): number {
  const { protocol, fragment, l2Length, l3Length, l4Offset } = packet;
  if (protocol !== IP_PROTOCOL.tcp || fragment !== "none" || l4Offset + 14 > l2Length + l3Length) return 0;
  return (((bytes[l4Offset + 12] ?? 0) << 8) | (bytes[l4Offset + 13] ?? 0)) & 0xfff;
}

const V4_WITH_ID = new Set([0, 8, 13, 14, 15, 16, 17, 18]);
const V6_WITH_ID = new Set([128, 129]);

function icmpOf(bytes: Uint8Array, packet: ParsedPacket): string {
  const { protocol, fragment, l2Length, l3Length, l4Offset } = packet;
  const isIcmp = protocol === IP_PROTOCOL.icmp || protocol === IP_PROTOCOL.icmpv6;
  if (!isIcmp || fragment !== "none" || hasPorts(protocol) || l4Offset + 8 > l2Length + l3Length) return "0 0 0";
  const type = bytes[l4Offset] ?? 0;
  const withId = protocol === IP_PROTOCOL.icmp ? V4_WITH_ID : V6_WITH_ID;
  const id = withId.has(type) ? ((bytes[l4Offset + 4] ?? 0) << 8) | (bytes[l4Offset + 5] ?? 0) : 0;
  return `${type} ${bytes[l4Offset + 1] ?? 0} ${id}`;
}
