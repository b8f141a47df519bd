/** RFC 9293 section 3.1, from the lowest bit; AE (RFC 9768) was NS. */
const NAMES = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"] as const;

/** Names of the control bits that are set, FIN first. */
export function tcpFlagNames(flags: number): string[] {
  return NAMES.filter((_, bit) => (flags >> bit) & 1);
}
