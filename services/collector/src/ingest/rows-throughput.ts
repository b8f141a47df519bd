import type { SequenceCounts, ThroughputBatch, ThroughputRecord } from "@waymark/proto/report";
import { flowKeyValues, NO_FLOW_KEY, NO_ITEM, optional } from "./row-fields.ts";

const NO_SEQUENCE = "false,0,0,0,0,0,0,0,0,0,0,0,0";
const NOTHING = `${NO_ITEM},${NO_FLOW_KEY},0,0,0,0,0,null,null,0,null,null,null,${NO_SEQUENCE}`;

/** One row per record. */
export function throughputRows({ records }: ThroughputBatch): readonly string[] {
  return records.length > 0 ? records.map(recordValues) : [NOTHING];
}

function recordValues(record: ThroughputRecord, nth: number): string {
  const key = record.flow === undefined ? NO_FLOW_KEY : flowKeyValues(record.flow);
  const { gapMeanNs, gapStddevNs, rtpJitterNs, burst1msL3Bytes, burst10msL3Bytes, sequence } = record;
  return (
    `"record",${nth},${record.fromNs},${record.toNs},${key},${record.packets},${record.l3Bytes},` +
    `${record.payloadBytes},${record.goodputBytes},${record.gaps},${optional(gapMeanNs)},${optional(gapStddevNs)},` +
    `${record.gapsInSuperPackets},${optional(rtpJitterNs)},${optional(burst1msL3Bytes)},` +
    `${optional(burst10msL3Bytes)},${sequence === undefined ? NO_SEQUENCE : sequenceValues(sequence)}`
  );
}

function sequenceValues(counts: SequenceCounts): string {
  return [
    ...[true, counts.current, counts.received, counts.reverseErrors, counts.smallErrors, counts.bigErrors],
    ...[counts.duplicates, counts.reordered, counts.lost, counts.lossEpisodes],
    ...[counts.recovered, counts.lossEpisodesChange, counts.restarts],
  ].join(",");
}
