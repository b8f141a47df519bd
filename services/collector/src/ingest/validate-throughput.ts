import type { SequenceCounts, ThroughputBatch, ThroughputRecord } from "@waymark/proto/report";
import { MAX_BYTES, MAX_INTERVAL_NS, MAX_PACKETS, validateTime } from "./fields.ts";
import { check } from "./refusal.ts";
import { validateFlowKey } from "./validate-flow-key.ts";

/** @throws Refusal with the first thing that cannot be true */
export function validateThroughput({ records }: ThroughputBatch, nowNs: bigint): void {
  for (const record of records) validateRecord(record, nowNs);
}

function validateRecord(record: ThroughputRecord, nowNs: bigint): void {
  validateFlowKey(record.flow);
  const { fromNs, toNs, packets, l3Bytes, payloadBytes, goodputBytes, gaps } = record;
  validateTime("from_ns", fromNs, nowNs);
  validateTime("to_ns", toNs, nowNs);
  const lasts = fromNs < toNs && toNs - fromNs <= MAX_INTERVAL_NS;
  check(lasts, "throughput", "an interval that is not longer than nothing and at most a day");
  const counted = packets <= MAX_PACKETS && l3Bytes <= MAX_BYTES && payloadBytes <= MAX_BYTES;
  check(counted && gaps <= MAX_PACKETS, "throughput", "a record counts more than any link carries");
  check(goodputBytes <= payloadBytes, "throughput", "goodput_bytes are more than payload_bytes");
  check(record.gapsInSuperPackets <= gaps, "throughput", "gaps_in_super_packets are more than gaps");
  const means = [record.gapMeanNs, record.gapStddevNs].every((ns = 0) => Number.isFinite(ns) && ns >= 0);
  check(means, "throughput", "the mean or deviation of gaps is negative or no number");
  const { rtpJitterNs = 0n, burst1msL3Bytes = 0n, burst10msL3Bytes = 0n } = record;
  check(rtpJitterNs <= MAX_INTERVAL_NS, "throughput", `rtp_jitter_ns ${rtpJitterNs} is more than a day`);
  const bursts = burst1msL3Bytes <= MAX_BYTES && burst10msL3Bytes <= MAX_BYTES;
  check(bursts, "throughput", "a burst of more than any link carries");
  if (record.sequence !== undefined) validateSequence(record.sequence);
}

function validateSequence(counts: SequenceCounts): void {
  const { current: _, $typeName, $unknown, ...numbers } = counts;
  const possible = Object.values(numbers).every((count) => count <= MAX_BYTES && count >= -MAX_BYTES);
  check(possible, "throughput", "sequence counts more than any link carries");
}
