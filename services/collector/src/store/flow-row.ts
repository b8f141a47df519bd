import type { SqlRow } from "./store.ts";

/** A flow's key as it is stored. */
export interface FlowKeyRow {
  /** Undefined where there is none. Dotted, or RFC 5952. */
  readonly sourceAddress: string | undefined;
  readonly destinationAddress: string | undefined;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  readonly icmpId: number;
  readonly vlanId: number;
  readonly etherType: number;
  readonly interface: string;
  readonly direction: number;
  readonly overflow: boolean;
}

/** Reads the columns of FLOW_IDENTITY. */
export function flowKeyRow(row: SqlRow): FlowKeyRow {
  const number = (key: string) => Number(row[key]);
  const addressed = Boolean(row["addressed"]);
  return {
    sourceAddress: addressed ? addressOf(row["source_address"]) : undefined,
    destinationAddress: addressed ? addressOf(row["destination_address"]) : undefined,
    protocol: number("protocol"),
    sourcePort: number("source_port"),
    destinationPort: number("destination_port"),
    icmpType: number("icmp_type"),
    icmpCode: number("icmp_code"),
    icmpId: number("icmp_id"),
    vlanId: number("vlan_id"),
    etherType: number("ether_type"),
    interface: String(row["seen_on"]),
    direction: number("direction"),
    overflow: Boolean(row["overflow"]),
  };
}

/** The usual text of an address that is stored as IPv6: dotted for an IPv4-mapped one. */
export function addressOf(value: unknown): string {
  const text = String(value);
  return text.startsWith("::ffff:") && text.includes(".") ? text.slice("::ffff:".length) : text;
}

/** Reads integers of 64 bits out of a row. */
export function integersOf(row: SqlRow): (name: string) => bigint {
  return (name) => BigInt(String(row[name]));
}

/** A column that may be NULL. */
export function optionalInteger(row: SqlRow, name: string): bigint | undefined {
  const value = row[name];
  return value === null || value === undefined ? undefined : BigInt(String(value));
}
