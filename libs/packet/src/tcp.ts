import { parseTcpOptions, type TcpOption } from "./tcp-option.ts";

/** TCP flags as bits of the octet that holds them. */
export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

/** A TCP header. */
export interface TcpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  /** OR of TCP_FLAG. */
  readonly flags: number;
  readonly window: number;
  readonly checksum: number;
  readonly urgentPointer: number;
  /** Octets of the header with its options. */
  readonly headerLength: number;
  readonly options: readonly TcpOption[];
}

/** Reads the TCP header that begins at `at` and ends before `end`; undefined if it is cut off or its lengths are impossible. */
export function parseTcp(bytes: Uint8Array, at: number, end: number = bytes.length): TcpHeader | undefined {
  if (at < 0 || end > bytes.length || at + 20 > end) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = (view.getUint8(at + 12) >> 4) * 4;
  if (headerLength < 20 || at + headerLength > end) return undefined;
  const options = parseTcpOptions(bytes.subarray(at + 20, at + headerLength));
  if (options === undefined) return undefined;
  return {
    sourcePort: view.getUint16(at),
    destinationPort: view.getUint16(at + 2),
    sequence: view.getUint32(at + 4),
    acknowledgement: view.getUint32(at + 8),
    flags: view.getUint8(at + 13),
    window: view.getUint16(at + 14),
    checksum: view.getUint16(at + 16),
    urgentPointer: view.getUint16(at + 18),
    headerLength,
    options,
  };
}
