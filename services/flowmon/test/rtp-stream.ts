import { udp } from "./packets.ts";
import { random } from "./reference.ts";

const START_NS = 1_000_000_000n;
/** Where all packets go. */
export const RTP_PORT = 2000;
const PCMU = 0;
/** The packet that comes late in a long stream. */
const LATE = 30;

/** A packet of a stream. */
export interface Sent {
  readonly sequence: number;
  readonly timestamp: number;
  readonly atNs: bigint;
}

/** An RTP packet in a UDP datagram. */
export function rtp({ sequence, timestamp }: Sent, type = PCMU, ssrc = 0x1234, size = 172): Uint8Array {
  const payload = new Uint8Array(size);
  const view = new DataView(payload.buffer);
  view.setUint8(0, 0x80);
  view.setUint8(1, type);
  view.setUint16(2, sequence & 0xffff);
  view.setUint32(4, timestamp >>> 0);
  view.setUint32(8, ssrc);
  return udp(payload);
}

/** 20 ms of 8 kHz a packet, with delays that vary and some packets late. */
export function stream(count: number, rate = 8000, first = 0xffff_f000): Sent[] {
  const next = random(5);
  const all = Array.from({ length: count }, (_, i) => ({
    sequence: 65_500 + i,
    timestamp: first + (i * rate) / 50,
    atNs: START_NS + BigInt(i) * 20_000_000n + BigInt(Math.floor(next() * 8_000_000)),
  }));
  if (count <= LATE + 2) return all;
  const late = all.splice(LATE, 1)[0] as Sent;
  all.splice(LATE + 2, 0, { ...late, atNs: (all[LATE + 1] as Sent).atNs + 1n });
  return all;
}
