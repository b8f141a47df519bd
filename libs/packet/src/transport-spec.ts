import type { Address } from "./address.ts";
import { internetChecksum, transportChecksum, writtenChecksum } from "./checksum.ts";
import { concat, setUint16, words } from "./octets.ts";
import { IP_PROTOCOL } from "./protocol.ts";
import { buildTcpOptions, type TcpOption } from "./tcp-option.ts";

/** A transport header and payload to build. `checksum` replaces the right one. */
export type TransportSpec =
  | {
      readonly kind: "udp";
      readonly sourcePort: number;
      readonly destinationPort: number;
      readonly payload?: Uint8Array;
      readonly checksum?: number;
    }
  | {
      readonly kind: "tcp";
      readonly sourcePort: number;
      readonly destinationPort: number;
      readonly sequence?: number;
      readonly acknowledgement?: number;
      /** OR of TCP_FLAG; default ACK. */
      readonly flags?: number;
      readonly window?: number;
      readonly urgentPointer?: number;
      readonly options?: readonly TcpOption[];
      readonly payload?: Uint8Array;
      readonly checksum?: number;
    }
  | {
      /** ICMP over IPv4, ICMPv6 over IPv6. */
      readonly kind: "icmp";
      readonly type: number;
      readonly code?: number;
      /** The second word of the header, e.g. identifier and sequence of an echo. */
      readonly rest?: number;
      readonly payload?: Uint8Array;
      readonly checksum?: number;
    }
  | { readonly kind: "igmp"; readonly type: number; readonly maxResponse?: number; readonly group?: Uint8Array }
  | {
      /** Anything: also the payload of a later fragment. */
      readonly kind: "raw";
      readonly protocol: number;
      readonly payload: Uint8Array;
    };

const NONE = new Uint8Array(0);
const CHECKSUM_AT: Readonly<Record<number, number>> = {
  [IP_PROTOCOL.tcp]: 16,
  [IP_PROTOCOL.udp]: 6,
  [IP_PROTOCOL.icmp]: 2,
  [IP_PROTOCOL.icmpv6]: 2,
};

/** IP protocol number of a transport. */
export function protocolOf(spec: TransportSpec, family: 4 | 6): number {
  if (spec.kind === "raw") return spec.protocol;
  if (spec.kind === "icmp") return family === 4 ? IP_PROTOCOL.icmp : IP_PROTOCOL.icmpv6;
  return IP_PROTOCOL[spec.kind];
}

/** Header and payload with a right checksum between these addresses. @throws {RangeError} a field out of range */
export function buildTransport(spec: TransportSpec, family: 4 | 6, source: Address, destination: Address): Uint8Array {
  const segment = withoutChecksum(spec);
  if (spec.kind === "raw") return segment;
  if (spec.kind === "igmp") {
    setUint16(segment, 2, internetChecksum(segment));
    return segment;
  }
  const protocol = protocolOf(spec, family);
  const computed =
    protocol === IP_PROTOCOL.icmp
      ? internetChecksum(segment)
      : writtenChecksum(protocol, transportChecksum(source, destination, protocol, segment));
  setUint16(segment, CHECKSUM_AT[protocol] ?? 0, spec.checksum ?? computed);
  return segment;
}

function withoutChecksum(spec: TransportSpec): Uint8Array {
  switch (spec.kind) {
    case "raw":
      return spec.payload.slice();
    case "igmp":
      return concat(words([1, spec.type], [1, spec.maxResponse ?? 0], [2, 0]), spec.group ?? new Uint8Array(4));
    case "icmp":
      return concat(words([1, spec.type], [1, spec.code ?? 0], [2, 0], [4, spec.rest ?? 0]), spec.payload ?? NONE);
    case "udp": {
      const payload = spec.payload ?? NONE;
      return concat(words([2, spec.sourcePort], [2, spec.destinationPort], [2, 8 + payload.length], [2, 0]), payload);
    }
    case "tcp": {
      const options = buildTcpOptions(spec.options ?? []);
      const header = words(
        [2, spec.sourcePort],
        [2, spec.destinationPort],
        [4, spec.sequence ?? 0],
        [4, spec.acknowledgement ?? 0],
        [1, ((20 + options.length) / 4) << 4],
        [1, spec.flags ?? 16],
        [2, spec.window ?? 65_535],
        [2, 0],
        [2, spec.urgentPointer ?? 0],
      );
      return concat(header, options, spec.payload ?? NONE);
    }
  }
}
