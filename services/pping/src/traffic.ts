/** Wire packets and L3 bytes. */
export interface Amount {
  readonly packets: bigint;
  readonly l3Bytes: bigint;
}

/** What found no room. */
export interface Shortage {
  /** Identifiers that could not be stored. */
  readonly stamps: bigint;
  /** Packets of flows that could not be stored. */
  readonly flows: bigint;
  /** Packets of prefixes that could not be stored. */
  readonly prefixes: bigint;
  /** Samples and events that nobody took out of the ring in time. */
  readonly events: bigint;
}

/** What passed the interface, by protocol. */
export interface InterfaceTraffic {
  readonly notIp: Amount;
  readonly tcp: Amount;
  readonly udp: Amount;
  readonly icmp: Amount;
  readonly icmpv6: Amount;
  /** Packets by protocol number. */
  readonly others: ReadonlyMap<number, bigint>;
  /** IP packets by ECN field: Not-ECT, ECT(1), ECT(0), CE. */
  readonly ecn: readonly bigint[];
}

/** True if nothing was short. */
export function isEnough({ stamps, flows, prefixes, events }: Shortage): boolean {
  return stamps === 0n && flows === 0n && prefixes === 0n && events === 0n;
}

/** What was added since `before`. */
export function shortageSince(now: Shortage, before: Shortage): Shortage {
  return {
    stamps: now.stamps - before.stamps,
    flows: now.flows - before.flows,
    prefixes: now.prefixes - before.prefixes,
    events: now.events - before.events,
  };
}

/** What was added since `before`. */
export function trafficSince(now: InterfaceTraffic, before: InterfaceTraffic): InterfaceTraffic {
  return {
    notIp: amountSince(now.notIp, before.notIp),
    tcp: amountSince(now.tcp, before.tcp),
    udp: amountSince(now.udp, before.udp),
    icmp: amountSince(now.icmp, before.icmp),
    icmpv6: amountSince(now.icmpv6, before.icmpv6),
    others: new Map(
      [...now.others].map(([protocol, packets]) => [protocol, packets - (before.others.get(protocol) ?? 0n)]),
    ),
    ecn: now.ecn.map((packets, field) => packets - (before.ecn[field] ?? 0n)),
  };
}

function amountSince(now: Amount, before: Amount): Amount {
  return { packets: now.packets - before.packets, l3Bytes: now.l3Bytes - before.l3Bytes };
}
