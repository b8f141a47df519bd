import { formatAddress, protocolName } from "@waymark/packet";
import { flowKey, isPorted } from "./flow-key.ts";
import type { Counts } from "./flow-record.ts";
import { formatMac } from "./mac-address.ts";
import type { Row } from "./rows.ts";
import { tcpFlagNames } from "./tcp-flags.ts";

const ICMP_PROTOCOLS: ReadonlySet<number> = new Set([1, 58]);

/** What a line says beside the row. */
export interface JsonOptions {
  readonly biflow: boolean;
  /** Unix time, in nanoseconds, of a time since the agent's start. */
  readonly wallNs: (ns: number) => bigint;
}

/** A row as one JSON object. Times are ISO 8601 with nanoseconds. */
export function flowJson(row: Row, { biflow, wallNs }: JsonOptions): string {
  const { id, view } = row;
  return JSON.stringify({
    interface: row.device,
    ...(id === undefined ? { ended_flows: true } : flowOf(id)),
    ...counts(row),
    ...(biflow && prefixed("back_", counts(row.back))),
    start_time: isoTime(wallNs(row.startNs)),
    last_time: isoTime(wallNs(row.lastNs)),
    duration_ms: (row.lastNs - row.startNs) / 1e6,
    ...(row.tcpFlags !== 0 && { tcp_flags: tcpFlagNames(row.tcpFlags) }),
    ...(view && { dscp: view.dscp }),
    ...(view && (view.sourceMac !== 0 || view.destinationMac !== 0)
      ? { source_mac: formatMac(view.sourceMac), destination_mac: formatMac(view.destinationMac) }
      : {}),
    ...(view?.duplicate && { duplicate: true }),
    ...(view?.clockStepped && { clock_stepped: true }),
    state: row.open > 0 ? "open" : "ended",
    ...(row.open === 0 && { end_reason: row.end }),
  });
}

function flowOf(id: string): Record<string, unknown> {
  const key = flowKey(id);
  return {
    direction: key.direction,
    ...(key.etherType === 0
      ? { protocol: protocolName(key.protocol), protocol_number: key.protocol }
      : { ether_type: `0x${key.etherType.toString(16).padStart(4, "0")}` }),
    ...(key.overflow && { overflow: true }),
    ...(key.source && key.destination
      ? { source: formatAddress(key.source), destination: formatAddress(key.destination) }
      : {}),
    ...(isPorted(key) && { source_port: key.sourcePort, destination_port: key.destinationPort }),
    ...(ICMP_PROTOCOLS.has(key.protocol) && {
      icmp_type: key.icmpType,
      icmp_code: key.icmpCode,
      icmp_id: key.icmpId,
    }),
    ...(key.vlanId !== 0 && { vlan_id: key.vlanId }),
  };
}

function counts({ packets, l3Bytes, l2Bytes }: Counts): Record<string, number> {
  return { packets, l3_bytes: l3Bytes, l2_bytes: l2Bytes };
}

function prefixed(prefix: string, fields: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [prefix + name, value]));
}

/** `2022-02-16T18:30:33.000000001Z` */
export function isoTime(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
}
