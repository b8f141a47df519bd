import { familyOf } from "@waymark/packet";
import { FlowEndReason } from "@waymark/proto/report";
import { type FlowKey, flowKey } from "../flow-key.ts";
import type { FlowRecord } from "../flow-record.ts";
import { macOctets } from "../mac-address.ts";
import { endReasonNumber } from "../publish.ts";
import { OctetWriter } from "./octet-writer.ts";
import { TEMPLATES, type Template } from "./template.ts";

/** A record as it is sent, and what its fields are. */
export interface DataRecord {
  readonly template: Template;
  readonly octets: Uint8Array;
}

/** What a record does not say itself. */
export interface RecordContext {
  /** Unix time, in nanoseconds, of a time since the agent's start. */
  readonly wallNs: (ns: number) => bigint;
  /** The number of an interface. */
  readonly ifindexOf: (device: string) => number;
}

/** flowDirection */
const DIRECTION = { ingress: 0, egress: 1 } as const;
/** Longer names of interfaces there are not; a variable length is one octet then (RFC 7011 section 7). */
const MAX_NAME = 254;
const NTP_EPOCH_S = 2_208_988_800n;
const SECOND_NS = 1_000_000_000n;

/** A flow record by the template that fits it. */
export function dataRecord(record: FlowRecord, context: RecordContext): DataRecord {
  const key = flowKey(record.id);
  const writer = new OctetWriter();
  writeCommon(writer, record, key, context);
  const { source, destination } = key;
  if (!source || !destination) {
    writer.u8(key.protocol).u16(key.etherType);
    return { template: TEMPLATES.other, octets: writer.octets() };
  }
  writer.u8(key.protocol).u8(record.dscp).u16(record.tcpFlags).u16(key.sourcePort).u16(key.destinationPort);
  writer.u8(key.icmpType).u8(key.icmpCode);
  const isIpv4 = familyOf(source) === 4;
  const from = isIpv4 ? 12 : 0;
  writer.bytes(source.subarray(from)).bytes(destination.subarray(from));
  return { template: isIpv4 ? TEMPLATES.ipv4 : TEMPLATES.ipv6, octets: writer.octets() };
}

function writeCommon(
  writer: OctetWriter,
  record: FlowRecord,
  key: FlowKey,
  { wallNs, ifindexOf }: RecordContext,
): void {
  const ifindex = ifindexOf(record.device);
  const isIngress = key.direction === "ingress";
  const reason = key.overflow ? FlowEndReason.LACK_OF_RESOURCES : endReasonNumber(record.end);
  writer.u64(ntpTime(wallNs(record.firstNs))).u64(ntpTime(wallNs(record.lastNs)));
  writer.u64(BigInt(record.packets)).u64(BigInt(record.l3Bytes)).u64(BigInt(record.l2Bytes));
  writer
    .u8(DIRECTION[key.direction])
    .u32(isIngress ? ifindex : 0)
    .u32(isIngress ? 0 : ifindex);
  writer.u8(reason).u16(key.vlanId).bytes(macOctets(record.sourceMac)).bytes(macOctets(record.destinationMac));
  const name = Buffer.from(record.device).subarray(0, MAX_NAME);
  writer.u8(name.length).bytes(name);
}

/**
 * dateTimeNanoseconds (RFC 7011 section 6.1.9): seconds since 1900 and a binary fraction, 32 bits each; rounded up, so that
 * a reader who cuts off finds the same nanosecond.
 */
export function ntpTime(ns: bigint): bigint {
  const fraction = (((ns % SECOND_NS) << 32n) + SECOND_NS - 1n) / SECOND_NS;
  return ((ns / SECOND_NS + NTP_EPOCH_S) << 32n) | fraction;
}
