import { formatAddress } from "./address.ts";

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: "icmp",
  2: "igmp",
  6: "tcp",
  17: "udp",
  47: "gre",
  50: "esp",
  51: "ah",
  58: "icmpv6",
  132: "sctp",
};

/** `tcp`, `icmpv6`; `ip-253` for one without a name. */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? `ip-${protocol}`;
}

/** A 5-tuple; addresses of 16 octets, IPv4 as ::ffff:a.b.c.d; ports 0 where there are none. */
export interface Tuple {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** `udp 10.0.0.1:5000 > 10.0.0.2:53`, `tcp [2001:db8::1]:80 > …`, `icmp 10.0.0.1 > 10.0.0.2`. The same at both ends. */
export function tupleName(tuple: Tuple): string {
  const ported = tuple.sourcePort !== 0 || tuple.destinationPort !== 0;
  const end = (address: Uint8Array, port: number) => {
    const text = formatAddress(address);
    if (!ported) return text;
    return text.includes(":") ? `[${text}]:${port}` : `${text}:${port}`;
  };
  return `${protocolName(tuple.protocol)} ${end(tuple.source, tuple.sourcePort)} > ${end(tuple.destination, tuple.destinationPort)}`;
}
