import { internetChecksum } from "./checksum.ts";
import { buildExtension } from "./extension-header.ts";
import { concat, setUint16 } from "./octets.ts";
import { parsePacket } from "./parse-packet.ts";
import { IP_PROTOCOL } from "./protocol.ts";

/**
 * Fragments of an IP packet (from the IP header on), each at most `mtu` octets: IPv4 with its header repeated, IPv6 with
 * a Fragment header behind the base header. A packet that fits is returned alone.
 * @throws {RangeError} not a whole packet, an IPv6 packet with extension headers, or an MTU that holds no payload
 */
export function fragmentPacket(packet: Uint8Array, mtu: number, id: number): Uint8Array[] {
  const parsed = parsePacket(packet, { link: "raw" });
  if (!parsed.ok || parsed.fragment !== "none") throw new RangeError("fragmentPacket: not a whole packet");
  if (parsed.l3Length <= mtu) return [packet.slice(0, parsed.l3Length)];
  if (parsed.extensionHeaders > 0) throw new RangeError("fragmentPacket: IPv6 with extension headers");
  const header = packet.subarray(0, parsed.l3HeaderLength);
  const payload = packet.subarray(parsed.l3HeaderLength, parsed.l3Length);
  const overhead = header.length + (parsed.family === 6 ? 8 : 0);
  const step = Math.floor((mtu - overhead) / 8) * 8;
  if (step < 8) throw new RangeError(`fragmentPacket: an MTU of ${mtu} holds no payload`);
  const fragments: Uint8Array[] = [];
  for (let offset = 0; offset < payload.length; offset += step) {
    const part = payload.subarray(offset, offset + step);
    const more = offset + step < payload.length;
    const build = parsed.family === 4 ? fragmentIpv4 : fragmentIpv6;
    fragments.push(build(header, part, offset, more, id));
  }
  return fragments;
}

function fragmentIpv4(header: Uint8Array, part: Uint8Array, offset: number, more: boolean, id: number): Uint8Array {
  const own = header.slice();
  setUint16(own, 2, header.length + part.length);
  setUint16(own, 4, id & 0xffff);
  setUint16(own, 6, (more ? 0x2000 : 0) | (offset / 8));
  setUint16(own, 10, 0);
  setUint16(own, 10, internetChecksum(own));
  return concat(own, part);
}

function fragmentIpv6(header: Uint8Array, part: Uint8Array, offset: number, more: boolean, id: number): Uint8Array {
  const own = header.slice();
  const next = own[6] ?? IP_PROTOCOL.noNextHeader;
  own[6] = IP_PROTOCOL.fragment;
  setUint16(own, 4, 8 + part.length);
  return concat(own, buildExtension({ kind: "fragment", id, offset, more }, next), part);
}
