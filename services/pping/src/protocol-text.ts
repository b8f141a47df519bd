const NAMES: Readonly<Record<number, string>> = { 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6" };

/** `TCP`, `ICMPv6`; the number of a protocol without a name here. */
export function protocolText(protocol: number): string {
  return NAMES[protocol] ?? String(protocol);
}
