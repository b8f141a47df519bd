import {
  buildPacket,
  type EthernetSpec,
  formatAddress,
  type LinkLayer,
  type PacketSpec,
  type ParsedPacket,
  parsePacket,
  type VlanTag,
} from "@waymark/packet";
import type { StampRequest } from "../bpf/stamp_reflector.gen.ts";
import { TIMESTAMP_METHOD } from "./codec/timestamp-method.ts";
import type { Answered } from "./reflect/reflect.ts";
import type { Request } from "./reflect/request.ts";

/** A request from the kernel: what it says, and how its packet was made. */
export interface CapturedRequest {
  readonly request: Request;
  readonly packet: ParsedPacket;
  readonly ethernet: EthernetSpec;
}

const UDP_HEADER = 8;
const MAC_LENGTH = 6;
const DSCP_SHIFT = 2;
const ECN_MASK = 3;
/** Every answer leaves with this TTL or hop limit (RFC 8762 section 4.3). */
const HOPS = 255;

/** Reads a request that the packet program gave to user space. Undefined if it is no packet after all. */
export function capturedRequest(
  record: StampRequest,
  layer: LinkLayer,
  stateful: boolean,
): CapturedRequest | undefined {
  const frame = record.frame.slice(0, record.length);
  const packet = parsePacket(frame, layer);
  if (!packet.ok || packet.ports === undefined) return undefined;
  const { l4Offset, source, destination, ports } = packet;
  const length = new DataView(frame.buffer).getUint16(l4Offset + 4);
  const hasMacs = layer.link === "ethernet";
  return {
    request: {
      octets: frame.subarray(l4Offset + UDP_HEADER, l4Offset + length),
      receivedNs: record.received_ns,
      source: { address: source, port: ports.source },
      destination: { address: destination, port: ports.destination },
      ttl: record.hops,
      dscp: record.tos >> DSCP_SHIFT,
      ecn: record.tos & ECN_MASK,
      sourceMac: hasMacs ? frame.slice(MAC_LENGTH, 2 * MAC_LENGTH) : undefined,
      session: stateful
        ? {
            sequence: record.sequence,
            received: Number(record.session_received),
            transmitted: Number(record.session_answered) + 1,
            previous: previousOf(record),
          }
        : undefined,
    },
    packet,
    ethernet: {
      vlans: tagsOf(record, packet),
      ...(hasMacs && { destination: macText(frame, MAC_LENGTH), source: macText(frame, 0) }),
    },
  };
}

function previousOf({ previous_ns: transmittedNs, previous_sequence: sequence }: StampRequest) {
  return transmittedNs > 0n ? { sequence, transmittedNs, method: TIMESTAMP_METHOD.swLocal } : undefined;
}

/** Tags of the frame, with the one that the card took off in front. */
function tagsOf(record: StampRequest, packet: ParsedPacket): readonly Partial<VlanTag>[] {
  if (record.vlan_protocol === 0) return packet.vlans;
  const { vlan_protocol: protocol, vlan_tci: tci } = record;
  return [{ protocol, id: tci & 0xfff, priority: tci >> 13, dropEligible: (tci & 0x1000) !== 0 }, ...packet.vlans];
}

function macText(frame: Uint8Array, at: number): string {
  return Array.from(frame.subarray(at, at + MAC_LENGTH), (octet) => octet.toString(16).padStart(2, "0")).join(":");
}

/**
 * The frame of an answer. It has an Ethernet header on a device without, too, where the kernel takes it off.
 *
 * @param nextHop hardware addresses, of another one than the request came from
 */
export function answerFrame(captured: CapturedRequest, answer: Answered, nextHop: EthernetSpec = {}): Uint8Array {
  const { source, destination, octets, dscp, ecn } = answer;
  const tos = (dscp << DSCP_SHIFT) | ecn;
  const ends = { source: formatAddress(source.address), destination: formatAddress(destination.address) };
  const transport = {
    kind: "udp",
    sourcePort: source.port,
    destinationPort: destination.port,
    payload: octets,
  } as const;
  const ip: Pick<PacketSpec, "ipv4" | "ipv6"> =
    captured.packet.family === 4
      ? { ipv4: { ...ends, tos, ttl: HOPS, dontFragment: true } }
      : { ipv6: { ...ends, trafficClass: tos, hopLimit: HOPS, flowLabel: captured.packet.flowLabel } };
  return buildPacket({ ethernet: { ...captured.ethernet, ...nextHop }, ...ip, transport });
}
