import { PpingMethod } from "../bpf/pping.gen.ts";

/** How a round-trip time was found. */
export type Method = "tcp_timestamp" | "tcp_sequence" | "tcp_handshake" | "icmp_echo" | "dns" | "quic_spin";

const NAMES: Readonly<Record<number, Method>> = {
  [PpingMethod.PPING_TCP_TIMESTAMP]: "tcp_timestamp",
  [PpingMethod.PPING_TCP_SEQUENCE]: "tcp_sequence",
  [PpingMethod.PPING_TCP_HANDSHAKE]: "tcp_handshake",
  [PpingMethod.PPING_ICMP_ECHO]: "icmp_echo",
  [PpingMethod.PPING_DNS]: "dns",
  [PpingMethod.PPING_QUIC_SPIN]: "quic_spin",
};

/** The method of a kernel record. @throws RangeError for a number that is none */
export function methodName(number: number): Method {
  const name = NAMES[number];
  if (name === undefined) throw new RangeError(`${number} is no method`);
  return name;
}
