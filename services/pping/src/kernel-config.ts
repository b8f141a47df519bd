import type { OpenBpfObject } from "@waymark/bpf-runtime";
import type { PpingConfig, ppingSpec } from "../bpf/pping.gen.ts";
import type { Measurement } from "./config.ts";

const RATE_SHIFT = 16;

/** Sets constants and table sizes of programs that are not loaded yet. @param l2Length octets before the IP header */
export function configure(
  open: Pick<OpenBpfObject<typeof ppingSpec>, "rodata" | "map">,
  measurement: Measurement,
  l2Length: number,
): void {
  open.rodata.set({ config: kernelConfig(measurement, l2Length) });
  open.map("flows").setMaxEntries(measurement.flows);
  open.map("stamps").setMaxEntries(measurement.stamps);
}

function kernelConfig(measurement: Measurement, l2Length: number): PpingConfig {
  const { methods, aggregation } = measurement;
  return {
    rate_limit_ns: measurement.rateLimitNs,
    rtt_rate: BigInt(Math.round(measurement.rttRate * 2 ** RATE_SHIFT)),
    ipv6_prefix_mask: ipv6Mask(aggregation?.ipv6Bits ?? 0),
    ipv4_prefix_mask: ipv4Mask(aggregation?.ipv4Bits ?? 0),
    l2_length: l2Length,
    smoothed: flag(measurement.smoothed),
    tcp: flag(methods.tcp),
    icmp: flag(methods.icmp),
    sequence: flag(methods.sequence),
    handshake: flag(methods.handshake),
    dns: flag(methods.dns),
    quic: flag(methods.quic),
    include_local: flag(measurement.includeLocal),
    include_syn: flag(measurement.includeSyn),
    // A card takes tags off before XDP or leaves them, as it likes; both directions must have one key.
    vlan_in_key: flag(measurement.ingress === "tc"),
    aggregate: flag(aggregation !== undefined),
    events: flag(aggregation === undefined),
  };
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** The mask as a number whose octets in memory (little-endian) are the mask's in network order. */
function ipv4Mask(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits === 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0);
  return view.getUint32(0, true);
}

function ipv6Mask(bits: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits === 0 ? 0n : BigInt.asUintN(64, -1n << BigInt(64 - bits)));
  return view.getBigUint64(0, true);
}
