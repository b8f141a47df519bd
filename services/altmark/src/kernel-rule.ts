import type { Cidr } from "@waymark/packet";
import type { AltmarkRule } from "../bpf/altmark.gen.ts";
import type { FlowRule } from "./flow-rule.ts";

/** A rule as `struct altmark_rule`: values and masks in the packet's own memory order, read as little-endian words. */
export function kernelRule(rule: FlowRule): AltmarkRule {
  const source = words(rule.source);
  const destination = words(rule.destination);
  const family = rule.source?.family ?? rule.destination?.family;
  const hasPorts = rule.sourcePort !== undefined || rule.destinationPort !== undefined;
  return {
    addresses4: join4(source.value, destination.value),
    addresses4_mask: join4(source.mask, destination.mask),
    addresses6: [...source.value, ...destination.value],
    addresses6_mask: [...source.mask, ...destination.mask],
    transport: {
      source_port: rule.sourcePort ?? 0,
      destination_port: rule.destinationPort ?? 0,
      protocol: rule.protocol ?? 0,
      has_ports: hasPorts ? 1 : 0,
      version: family ?? 0,
    },
    transport_mask: {
      source_port: rule.sourcePort === undefined ? 0 : 0xffff,
      destination_port: rule.destinationPort === undefined ? 0 : 0xffff,
      protocol: rule.protocol === undefined ? 0 : 0xff,
      has_ports: hasPorts ? 0xff : 0,
      version: family === undefined ? 0 : 0xff,
    },
  };
}

type Words = readonly [bigint, bigint];

function words(cidr: Cidr | undefined): { readonly value: Words; readonly mask: Words } {
  const value = new DataView(new ArrayBuffer(16));
  const mask = new DataView(new ArrayBuffer(16));
  if (cidr) {
    const first = cidr.family === 4 ? 96 : 0;
    for (let bit = 0; bit < first + cidr.prefixLength; bit++) {
      mask.setUint8(bit >> 3, mask.getUint8(bit >> 3) | (0x80 >> (bit & 7)));
    }
    for (let at = 0; at < 16; at++) value.setUint8(at, (cidr.address[at] ?? 0) & mask.getUint8(at));
  }
  return {
    value: [value.getBigUint64(0, true), value.getBigUint64(8, true)],
    mask: [mask.getBigUint64(0, true), mask.getBigUint64(8, true)],
  };
}

/** The last four octets of both addresses, in the order in which they stand in an IPv4 header. */
function join4(source: Words, destination: Words): bigint {
  return (source[1] >> 32n) | ((destination[1] >> 32n) << 32n);
}
