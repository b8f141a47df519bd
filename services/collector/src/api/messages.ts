import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type LossBlock, LossBlockSchema } from "@waymark/proto/query";
import { hintFor, type LossRow } from "../verdict.ts";

const NS_PER_S = 1_000_000_000n;

/** Nanoseconds since the Unix epoch as a Timestamp. */
export function timestampOf(ns: bigint): Timestamp {
  return create(TimestampSchema, { seconds: ns / NS_PER_S, nanos: Number(ns % NS_PER_S) });
}

/** Nanoseconds, of either sign, as a Duration. */
export function durationOf(ns: bigint): Duration {
  return create(DurationSchema, { seconds: ns / NS_PER_S, nanos: Number(ns % NS_PER_S) });
}

/** A Timestamp as nanoseconds since the Unix epoch; negative before it. */
export function nsOf(time: Timestamp): bigint {
  return time.seconds * NS_PER_S + BigInt(time.nanos);
}

/** A row of the loss view as the API answers it. */
export function lossBlockOf(row: LossRow): LossBlock {
  return create(LossBlockSchema, {
    path: row.path,
    flow: row.flow,
    blockNumber: row.blockNumber,
    startTime: timestampOf(row.startNs),
    interval: durationOf(row.intervalNs),
    sentPackets: row.sentPackets,
    receivedPackets: row.receivedPackets,
    ...(row.numbered && { lostPackets: row.lostPackets }),
    sentL3Bytes: row.sentL3Bytes,
    receivedL3Bytes: row.receivedL3Bytes,
    ...(row.numbered && row.sentPackets > 0n && { lossRatio: row.lossRatio }),
    verdict: row.verdict,
    verdictReasons: [...row.reasons],
    revision: row.revision,
    hint: hintFor(row.verdict, row.reasons),
  });
}
