import { concat } from "./octets.ts";

/** Link-layer types of pcap files: Ethernet, and IP without a link layer. */
export const PCAP_LINK = { ethernet: 1, raw: 101 } as const;

const MAGIC_NANOSECONDS = 0xa1b23c4d;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const SNAP_LENGTH = 262_144;

/** One packet of a capture. */
export interface PcapRecord {
  readonly bytes: Uint8Array;
  /** Nanoseconds since the Unix epoch. */
  readonly timeNs?: bigint;
  /** Octets on the wire, if the capture cut the packet. */
  readonly originalLength?: number;
}

/** A pcap file (nanosecond time stamps, little-endian). */
export function writePcap(records: readonly PcapRecord[], link: number): Uint8Array {
  const parts = [little([4, MAGIC_NANOSECONDS], [2, 2], [2, 4], [4, 0], [4, 0], [4, SNAP_LENGTH], [4, link])];
  for (const { bytes, timeNs = 0n, originalLength = bytes.length } of records) {
    const seconds = Number(timeNs / 1_000_000_000n);
    const nanoseconds = Number(timeNs % 1_000_000_000n);
    parts.push(little([4, seconds], [4, nanoseconds], [4, bytes.length], [4, originalLength]), bytes);
  }
  return concat(...parts);
}

function little(...fields: readonly (readonly [size: 2 | 4, value: number])[]): Uint8Array {
  const octets = new Uint8Array(fields.reduce((length, [size]) => length + size, 0));
  const view = new DataView(octets.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return octets;
}

/** The link type and packets of a pcap file of this byte order; undefined if it is none. A cut last record is left out. */
export function readPcap(file: Uint8Array): { readonly link: number; readonly records: PcapRecord[] } | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 24) return undefined;
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC_NANOSECONDS && magic !== MAGIC_MICROSECONDS) return undefined;
  const unitNs = magic === MAGIC_NANOSECONDS ? 1n : 1000n;
  const records: PcapRecord[] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const length = view.getUint32(at + 8, true);
    if (at + 16 + length > file.length) break;
    records.push({
      bytes: file.slice(at + 16, at + 16 + length),
      timeNs: BigInt(view.getUint32(at, true)) * 1_000_000_000n + BigInt(view.getUint32(at + 4, true)) * unitNs,
      originalLength: view.getUint32(at + 12, true),
    });
    at += 16 + length;
  }
  return { link: view.getUint32(20, true) & 0xffff, records };
}
