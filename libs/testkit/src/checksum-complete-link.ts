import type { Namespace } from "./namespace.ts";
import type { NetLab } from "./net-lab.ts";
import { REAL_SEGMENTS } from "./offloads.ts";

/** One end of the link. */
export interface TunnelEnd {
  readonly ns: Namespace;
  /** Interface name, at most 12 characters: the link below it has this name and `-lo`. */
  readonly device: string;
  /** `address/length`, both families. */
  readonly addresses: readonly string[];
}

const VXLAN_ID = 7;
const VXLAN_PORT = 4789;

/**
 * An Ethernet link on which received packets carry CHECKSUM_COMPLETE, as from a network card that sums up whole packets
 * (veth never does that, nor does any card that qemu emulates for x86). It is a VXLAN tunnel with outer UDP checksums:
 * the kernel verifies the outer checksum in software and keeps the sum for the inner packet. A program that changes an
 * IPv6 header without telling the checksum makes the receiver count `Udp6InCsumErrors`; the UDP datagram must be longer
 * than 76 octets, as shorter ones are summed up anew. @throws {CommandError} no VXLAN in this kernel
 */
export async function linkChecksumComplete(lab: NetLab, a: TunnelEnd, b: TunnelEnd): Promise<void> {
  const below = (end: TunnelEnd) => `${end.device}-lo`;
  const outer = ["192.0.2.1", "192.0.2.2"] as const;
  await lab.link(
    { ns: a.ns, device: below(a), addresses: [`${outer[0]}/30`], offloads: REAL_SEGMENTS },
    { ns: b.ns, device: below(b), addresses: [`${outer[1]}/30`], offloads: REAL_SEGMENTS },
  );
  for (const [end, local, remote] of [
    [a, outer[0], outer[1]],
    [b, outer[1], outer[0]],
  ] as const) {
    await end.ns.ip(
      `link add ${end.device} type vxlan id ${VXLAN_ID} dstport ${VXLAN_PORT} udpcsum local ${local} remote ${remote} dev ${below(end)}`,
    );
    await end.ns.offloads(end.device, { tx: false, gro: false });
    await lab.configure(end);
  }
}

/** A counter of `/proc/net/snmp6`, e.g. `Udp6InCsumErrors`. @throws {RangeError} there is none of this name */
export async function snmp6Counter(ns: Namespace, name: string): Promise<bigint> {
  const { stdout } = await ns.exec(["cat", "/proc/net/snmp6"]);
  const value = new RegExp(`^${name}\\s+(\\d+)$`, "m").exec(stdout)?.[1];
  if (value === undefined) throw new RangeError(`snmp6: no counter ${name}`);
  return BigInt(value);
}
