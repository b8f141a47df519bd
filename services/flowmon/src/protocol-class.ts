/** What is told apart in totals: ICMP includes ICMPv6. Places as in `enum flowmon_class`. */
export const PROTOCOL_CLASSES = ["TCP", "UDP", "ICMP"] as const;

/** One of them. */
export type ProtocolClass = (typeof PROTOCOL_CLASSES)[number];

const CLASS_OF: Readonly<Record<number, ProtocolClass>> = { 6: "TCP", 17: "UDP", 1: "ICMP", 58: "ICMP" };

/** The class of an IP protocol number; undefined for what is not measured. */
export function protocolClass(protocol: number): ProtocolClass | undefined {
  return CLASS_OF[protocol];
}
