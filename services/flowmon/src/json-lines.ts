import { formatAddress } from "@waymark/packet";
import type { FlowFigures } from "./flow-figures.ts";
import { flowName } from "./flow-id.ts";
import { gapDeviation, gapMean, superGapRatio } from "./gap-figures.ts";
import { type Interval, lengthS } from "./interval.ts";
import type { FlowReading, OverflowReading } from "./reading.ts";
import { netEpisodes, netLost, type SequenceFigures } from "./sequence-figures.ts";

/** One JSON object a flow, then one a sum of what found no room; integers beyond 2^53 - 1 are decimal strings. */
export function jsonLines(interval: Interval): string[] {
  return [
    ...interval.flows.map((flow) => stringify(flowObject(flow, interval))),
    ...interval.overflow.map((sum) => stringify(overflowObject(sum, interval))),
  ];
}

/** One JSON object a flow with its gaps alone: for `-j`. */
export function jitterJsonLines(interval: Interval): string[] {
  return interval.flows.map(({ id, figures }) =>
    stringify({
      ...timesOf(interval),
      interface: id.interface,
      direction: id.direction,
      flow: flowName(id),
      ...gapsObject(figures),
    }),
  );
}

function timesOf({ fromNs, toNs }: Interval) {
  return { from: isoTime(fromNs), from_ns: fromNs, to_ns: toNs };
}

function isoTime(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString();
}

function flowObject({ id, figures }: FlowReading, interval: Interval) {
  const seconds = lengthS(interval);
  return {
    ...timesOf(interval),
    interface: id.interface,
    direction: id.direction,
    flow: flowName(id),
    source: formatAddress(id.source),
    destination: formatAddress(id.destination),
    protocol: id.protocol,
    source_port: id.sourcePort,
    destination_port: id.destinationPort,
    ...(id.icmp && { icmp_type: id.icmp.type, icmp_code: id.icmp.code, icmp_id: id.icmp.id }),
    vlan: id.vlan,
    packets: figures.packets,
    l3_bytes: figures.l3Bytes,
    payload_bytes: figures.payloadBytes,
    goodput_bytes: figures.goodputBytes,
    throughput_l3_bytes_per_second: Number(figures.l3Bytes) / seconds,
    goodput_bytes_per_second: Number(figures.goodputBytes) / seconds,
    ...gapsObject(figures),
    burst_1ms_l3_bytes: figures.burst1msL3Bytes,
    burst_10ms_l3_bytes: figures.burst10msL3Bytes,
    ...(figures.rtpJitterNs !== undefined && { rtp_jitter_ns: figures.rtpJitterNs }),
    ...(figures.sequence && { sequence: sequenceObject(figures.sequence) }),
  };
}

function gapsObject({ gaps }: FlowFigures) {
  return {
    gaps: gaps.gaps,
    gap_mean_ns: gapMean(gaps),
    gap_stddev_ns: gapDeviation(gaps),
    gaps_in_super_packets: gaps.superGaps,
    gaps_in_super_packets_ratio: superGapRatio(gaps),
  };
}

function sequenceObject(figures: SequenceFigures) {
  return {
    current: figures.current,
    received: figures.received,
    reverse: figures.reverse,
    small: figures.small,
    big: figures.big,
    duplicates: figures.duplicates,
    reordered: figures.reordered,
    skipped: figures.lost,
    recovered: figures.recovered,
    lost: netLost(figures),
    loss_episodes: netEpisodes(figures),
    restarts: figures.restarts,
  };
}

function overflowObject(sum: OverflowReading, interval: Interval) {
  return {
    ...timesOf(interval),
    interface: sum.interface,
    direction: sum.direction,
    overflow: sum.protocol,
    packets: sum.packets,
    l3_bytes: sum.l3Bytes,
    payload_bytes: sum.payloadBytes,
  };
}

function stringify(value: object): string {
  return JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? jsonNumber(part) : part));
}

function jsonNumber(value: bigint): number | string {
  const safe = value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER);
  return safe ? Number(value) : value.toString();
}
