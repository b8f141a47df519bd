import { create } from "@bufbuild/protobuf";
import { protocolName } from "@waymark/packet";
import {
  type Flow,
  type FlowEvent,
  FlowEventSchema,
  type FlowRecord,
  FlowRecordSchema,
  FlowSchema,
  type Throughput,
  ThroughputSchema,
} from "@waymark/proto/query";
import type { BiflowRow } from "../store/biflow-query.ts";
import type { FlowRow } from "../store/flow-query.ts";
import type { FlowKeyRow } from "../store/flow-row.ts";
import type { FlowEventRow } from "../store/rtt-query.ts";
import type { ThroughputRow } from "../store/throughput-query.ts";
import { durationOf, timestampOf } from "./messages.ts";

const ICMP = 1;
const ICMPV6 = 58;
const TCP = 6;
const NS_PER_S = 1e9;

/** A flow's key as the API answers it. */
export function flowMessage(row: FlowKeyRow): Flow {
  const isIcmp = row.etherType === 0 && (row.protocol === ICMP || row.protocol === ICMPV6);
  return create(FlowSchema, {
    sourceAddress: row.sourceAddress ?? "",
    destinationAddress: row.destinationAddress ?? "",
    protocol: row.protocol,
    protocolName: row.etherType === 0 ? protocolName(row.protocol) : "",
    sourcePort: row.sourcePort,
    destinationPort: row.destinationPort,
    ...(isIcmp && { icmpType: row.icmpType, icmpCode: row.icmpCode, icmpId: row.icmpId }),
    vlanId: row.vlanId,
    etherType: row.etherType,
    interface: row.interface,
    direction: row.direction,
    overflow: row.overflow,
  });
}

/** A record, or a sum of records, of tcflows. */
export function flowRecordMessage(row: FlowRow): FlowRecord {
  return create(FlowRecordSchema, {
    flow: flowMessage(row.flow),
    agent: row.agent,
    firstTime: timestampOf(row.firstNs),
    lastTime: timestampOf(row.lastNs),
    flowStartTime: timestampOf(row.flowStartNs),
    duration: durationOf(row.lastNs - row.flowStartNs),
    packets: row.packets,
    l3Bytes: row.l3Bytes,
    ...(row.l2Bytes > 0n && { l2Bytes: row.l2Bytes }),
    ...(row.flow.protocol === TCP && { tcpFlags: row.tcpFlags }),
    sourceMac: row.sourceMac,
    destinationMac: row.destinationMac,
    dscp: row.dscp,
    endReason: row.endReason,
    duplicate: row.duplicate,
    clockStepped: row.clockStepped,
    records: row.records,
  });
}

/** Both directions of a connection. */
export function biflowMessage({ forward, reverse }: BiflowRow): FlowRecord {
  const message = flowRecordMessage(forward);
  if (reverse === undefined) return message;
  const isFirst = forward.firstNs <= reverse.firstNs;
  const last = forward.lastNs >= reverse.lastNs ? forward : reverse;
  message.firstTime = timestampOf(isFirst ? forward.firstNs : reverse.firstNs);
  message.lastTime = timestampOf(last.lastNs);
  message.duration = durationOf(last.lastNs - forward.flowStartNs);
  message.endReason = last.endReason;
  message.records = forward.records + reverse.records;
  message.duplicate = forward.duplicate || reverse.duplicate;
  message.clockStepped = forward.clockStepped || reverse.clockStepped;
  message.reversePackets = reverse.packets;
  message.reverseL3Bytes = reverse.l3Bytes;
  if (reverse.l2Bytes > 0n) message.reverseL2Bytes = reverse.l2Bytes;
  if (reverse.flow.protocol === TCP) message.reverseTcpFlags = reverse.tcpFlags;
  return message;
}

/** One flow in one interval or in all of them. */
export function throughputMessage(row: ThroughputRow): Throughput {
  const seconds = Number(row.toNs - row.fromNs) / NS_PER_S;
  return create(ThroughputSchema, {
    flow: flowMessage(row.flow),
    agent: row.agent,
    startTime: timestampOf(row.fromNs),
    endTime: timestampOf(row.toNs),
    packets: row.packets,
    l3Bytes: row.l3Bytes,
    payloadBytes: row.payloadBytes,
    goodputBytes: row.goodputBytes,
    l3BytesPerSecond: Number(row.l3Bytes) / seconds,
    goodputBytesPerSecond: Number(row.goodputBytes) / seconds,
    gaps: row.gaps,
    gapsInSuperPackets: row.gapsInSuperPackets,
    ...(row.gapMeanNs !== undefined && { gapMeanNs: row.gapMeanNs }),
    ...(row.gapStddevNs !== undefined && { gapStddevNs: row.gapStddevNs }),
    ...(row.rtpJitterNs !== undefined && { rtpJitter: durationOf(row.rtpJitterNs) }),
    ...(row.burst1msL3Bytes !== undefined && { burst1msL3Bytes: row.burst1msL3Bytes }),
    ...(row.burst10msL3Bytes !== undefined && { burst10msL3Bytes: row.burst10msL3Bytes }),
    ...(row.sequence !== undefined && { sequence: row.sequence }),
    records: row.records,
  });
}

/** A flow that opened or closed. */
export function flowEventMessage(row: FlowEventRow): FlowEvent {
  return create(FlowEventSchema, {
    agent: row.agent,
    flow: flowMessage(row.flow),
    time: timestampOf(row.atNs),
    kind: row.kind,
    reason: row.reason,
    triggeredBy: row.triggeredBy,
  });
}
