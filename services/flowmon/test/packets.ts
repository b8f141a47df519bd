import { buildPacket, type PacketSpec } from "@waymark/packet";

/** Shorthand for the packets of the tests. */
export const ethernet = {};
const ipv4 = { source: "10.0.0.1", destination: "10.0.0.2" };
const ipv6 = { source: "2001:db8::1", destination: "2001:db8::2" };

/** A UDP datagram over IPv4. */
export function udp(payload: Uint8Array, more: Partial<PacketSpec> = {}): Uint8Array {
  return buildPacket({
    ethernet,
    ipv4,
    transport: { kind: "udp", sourcePort: 1000, destinationPort: 2000, payload },
    ...more,
  });
}

/** The same over IPv6. */
export function udp6(payload: Uint8Array): Uint8Array {
  return buildPacket({ ethernet, ipv6, transport: { kind: "udp", sourcePort: 1000, destinationPort: 2000, payload } });
}

/** An ICMP echo request. */
export function echo(id: number, sequence: number, payload: Uint8Array): Uint8Array {
  return buildPacket({ ethernet, ipv4, transport: { kind: "icmp", type: 8, rest: id * 65_536 + sequence, payload } });
}

/** A TCP segment. */
export function tcp(
  sequence: number,
  length: number,
  flags = 16,
  ports: readonly [number, number] = [1000, 2000],
): Uint8Array {
  const [sourcePort, destinationPort] = ports;
  const payload = new Uint8Array(length);
  return buildPacket({
    ethernet,
    ipv4,
    transport: { kind: "tcp", sourcePort, destinationPort, sequence, flags, payload },
  });
}

/** A payload with a number at an offset. */
export function numbered(
  number: bigint,
  {
    offset = 0,
    octets = 4,
    littleEndian = false,
    size = 64,
  }: { offset?: number; octets?: number; littleEndian?: boolean; size?: number } = {},
): Uint8Array {
  const payload = new Uint8Array(size);
  for (let at = 0; at < octets; at++) {
    const shift = BigInt(8 * (littleEndian ? at : octets - 1 - at));
    payload[offset + at] = Number((number >> shift) & 0xffn);
  }
  return payload;
}
