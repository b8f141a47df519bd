import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { parseAddress } from "@waymark/packet";
import {
  Direction,
  type FlowKey,
  FlowKeySchema,
  type FlowRecord,
  FlowRecordSchema,
  type Report,
  ReportSchema,
} from "@waymark/proto/report";
import type { Random } from "./random.ts";

/** The payload of a report, as it is written in a test. */
export type PayloadInit = NonNullable<MessageInitShape<typeof ReportSchema>["payload"]>;

/** Who reports. */
export interface Reporter {
  readonly id: string;
  readonly service: string;
  readonly role: string;
  readonly interface: string;
  readonly boot: string;
}

/** The wall clock in nanoseconds. */
export const nowNs = () => BigInt(Date.now()) * 1_000_000n;

/** A report of this payload that was sent now. */
export function reportFrom(from: Reporter, sequence: bigint, payload: PayloadInit): Report {
  return create(ReportSchema, {
    agent: { id: from.id, service: from.service, role: from.role, interface: from.interface, host: "h", version: "1" },
    bootId: from.boot,
    kernelBootId: "kernel",
    sequence,
    sentAtNs: nowNs(),
    clock: { synchronised: true, maxErrorNs: 1000n },
    counters: { seen: sequence },
    payload,
  });
}

/** An address as it travels. */
export function octets(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(`no address: ${text}`);
  return address;
}

/** A TCP flow from 10.0.0.1:1000 to 10.0.0.2:80 that leaves by eth0, changed as the test needs it. */
export function key(more: MessageInitShape<typeof FlowKeySchema> = {}): FlowKey {
  return create(FlowKeySchema, {
    sourceAddress: octets("10.0.0.1"),
    destinationAddress: octets("10.0.0.2"),
    protocol: 6,
    sourcePort: 1000,
    destinationPort: 80,
    interface: "eth0",
    direction: Direction.EGRESS,
    ...more,
  });
}

/** The way back of a flow. */
export function reversed(flow: FlowKey): FlowKey {
  return key({
    ...flow,
    sourceAddress: flow.destinationAddress,
    destinationAddress: flow.sourceAddress,
    sourcePort: flow.destinationPort,
    destinationPort: flow.sourcePort,
    direction: 3 - flow.direction,
  });
}

/** Flows of every sort: both ways, IPv6, ICMP, VLANs, other interfaces, ARP, overflow. */
export function someFlows(random: Random): readonly FlowKey[] {
  const flows: FlowKey[] = [];
  for (let i = 0; i < 12; i++) {
    const sixth = random.once(3);
    const host = (net: string) =>
      octets(sixth ? `2001:db8:${net}::${random.below(5)}` : `10.${net}.0.${random.below(9)}`);
    const forward = key({
      sourceAddress: host("1"),
      destinationAddress: host("2"),
      protocol: random.of([6, 17]),
      sourcePort: 1024 + random.below(6),
      destinationPort: random.of([53, 80, 443]),
      vlanId: random.of([0, 0, 7]),
      interface: random.of(["eth0", "eth1", ""]),
      direction: random.of([Direction.INGRESS, Direction.EGRESS]),
    });
    flows.push(forward);
    if (random.once(2)) flows.push(reversed(forward));
  }
  const ping = { protocol: 1, sourcePort: 0, destinationPort: 0, icmpId: 77 };
  flows.push(key({ ...ping, icmpType: 8 }), { ...reversed(key(ping)), icmpType: 0 });
  const nobody = {
    sourceAddress: new Uint8Array(),
    destinationAddress: new Uint8Array(),
    sourcePort: 0,
    destinationPort: 0,
  };
  flows.push(key({ ...nobody, protocol: 0, etherType: 0x0806 }), key({ ...nobody, protocol: 17, overflow: true }));
  flows.push(key({ sourceAddress: octets("::"), destinationAddress: octets("ff02::1"), protocol: 58, sourcePort: 0 }));
  return flows.filter((flow, index) => flows.findIndex((other) => name(other) === name(flow)) === index);
}

/** One text for one flow. */
export function name(flow: FlowKey): string {
  return JSON.stringify({
    ...flow,
    sourceAddress: [...flow.sourceAddress],
    destinationAddress: [...flow.destinationAddress],
  });
}

/** A record of tcflows. */
export function record(
  flow: FlowKey,
  firstNs: bigint,
  more: MessageInitShape<typeof FlowRecordSchema> = {},
): FlowRecord {
  return create(FlowRecordSchema, {
    flow,
    packets: 10n,
    l3Bytes: 1000n,
    l2Bytes: 1140n,
    firstNs,
    lastNs: firstNs + 1_000_000_000n,
    flowStartNs: firstNs,
    ...more,
  });
}
