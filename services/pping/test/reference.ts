import { readFileSync } from "node:fs";
import {
  formatAddress,
  IP_PROTOCOL,
  type ParsedPacket,
  PCAP_LINK,
  parsePacket,
  parseTcp,
  readPcap,
  TCP_FLAG,
} from "@waymark/packet";

/** A round-trip time found in a capture. */
export interface ReferenceSample {
  readonly method: string;
  /** `far:port+near:port`, the answer's source first. */
  readonly flow: string;
  readonly rttNs: number;
  /** The answer left by the interface. */
  readonly local: boolean;
}

interface Seen {
  readonly flow: string;
  readonly reverse: string;
  readonly method: string;
  readonly stamp: number | undefined;
  readonly answer: number | undefined;
  readonly first: boolean;
}

/**
 * What pping without a rate limit must find in a capture of its interface that begins before the traffic does: slow and
 * plain, one packet after the other, without a bound of any kind.
 *
 * @param near the address of this side
 */
export function referenceSamples(path: string, near: string): ReferenceSample[] {
  const capture = readPcap(readFileSync(path));
  if (capture === undefined) throw new Error(`${path} is no capture`);
  const layer = { link: capture.link === PCAP_LINK.raw ? "raw" : "ethernet" } as const;
  const samples: ReferenceSample[] = [];
  const stamps = new Map<string, bigint>();
  const newest = new Map<string, number>();
  const void_ = new Set<string>();
  for (const { bytes, timeNs = 0n } of capture.records) {
    const packet = parsePacket(bytes, layer);
    const seen = packet.ok ? lookAt(bytes, packet) : undefined;
    if (!packet.ok || seen === undefined) continue;
    const { flow, reverse, method, stamp, answer, first } = seen;
    if (stamp !== undefined && isNew(method, newest.get(flow), stamp, first)) {
      const key = `${method} ${flow} ${stamp}`;
      if (stamps.has(key)) void_.add(key);
      else stamps.set(key, timeNs);
      newest.set(flow, stamp);
    } else if (stamp !== undefined && !newest.has(flow)) newest.set(flow, stamp);
    const key = `${method} ${reverse} ${answer}`;
    const then = answer === undefined ? undefined : stamps.get(key);
    if (then === undefined) continue;
    stamps.delete(key);
    if (void_.delete(key)) continue;
    const local = formatAddress(packet.source) === near;
    samples.push({ method, flow, rttNs: Number(timeNs - then), local });
  }
  return samples;
}

/** A time stamp must be newer (RFC 7323 §5.2); the first one of a connection counts only if it is the SYN's. */
function isNew(method: string, before: number | undefined, stamp: number, first: boolean): boolean {
  if (method !== "tcp_timestamp") return method === "dns" || before !== stamp;
  if (before === undefined) return first;
  return ((stamp - before) | 0) > 0;
}

function lookAt(bytes: Uint8Array, packet: ParsedPacket): Seen | undefined {
  if (packet.fragment !== "none") return undefined;
  const [source, destination] = [formatAddress(packet.source), formatAddress(packet.destination)];
  const end = packet.l2Length + packet.l3Length;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (packet.protocol === IP_PROTOCOL.tcp) {
    const tcp = parseTcp(bytes, packet.l4Offset, end);
    const option = tcp?.options.find(({ kind }) => kind === "timestamps");
    if (tcp === undefined || option?.kind !== "timestamps") return undefined;
    const isSyn = (tcp.flags & TCP_FLAG.syn) !== 0;
    const hasPayload = end > packet.l4Offset + tcp.headerLength;
    return {
      flow: `${source}:${tcp.sourcePort}+${destination}:${tcp.destinationPort}`,
      reverse: `${destination}:${tcp.destinationPort}+${source}:${tcp.sourcePort}`,
      method: "tcp_timestamp",
      stamp: hasPayload || isSyn ? option.value : undefined,
      answer: (tcp.flags & TCP_FLAG.ack) !== 0 ? option.echo : undefined,
      first: isSyn,
    };
  }
  if (packet.protocol === IP_PROTOCOL.icmp || packet.protocol === IP_PROTOCOL.icmpv6) {
    const type = view.getUint8(packet.l4Offset);
    const [request, reply] = packet.family === 4 ? [8, 0] : [128, 129];
    if (type !== request && type !== reply) return undefined;
    const id = view.getUint16(packet.l4Offset + 4);
    const number = view.getUint16(packet.l4Offset + 6);
    return {
      flow: `${source}:${id}+${destination}:${id}`,
      reverse: `${destination}:${id}+${source}:${id}`,
      method: "icmp_echo",
      stamp: type === request ? number : undefined,
      answer: type === reply ? number : undefined,
      first: true,
    };
  }
  if (packet.protocol === IP_PROTOCOL.udp && packet.ports !== undefined) {
    const { source: from, destination: to } = packet.ports;
    if (from !== 53 && to !== 53) return undefined;
    const isAnswer = (view.getUint8(packet.l4Offset + 10) & 0x80) !== 0;
    const id = view.getUint16(packet.l4Offset + 8);
    return {
      flow: `${source}:${from}+${destination}:${to}`,
      reverse: `${destination}:${to}+${source}:${from}`,
      method: "dns",
      stamp: isAnswer ? undefined : id,
      answer: isAnswer ? id : undefined,
      first: true,
    };
  }
  return undefined;
}
