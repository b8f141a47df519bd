import type { Cidr } from "@waymark/packet";
import type { FlowmonRule } from "../bpf/flowmon.gen.ts";
import { PROTOCOL_CLASSES } from "./protocol-class.ts";
import type { Rule } from "./rule.ts";

/** The kernel looks at so many simple rules at the most (FLOWMON_MAX_RULES). */
export const MAX_KERNEL_RULES = 256;

/** A rule as the kernel has it: one address range and one port at each end, so a rule with lists becomes several. */
export function kernelRules(rule: Rule): FlowmonRule[] {
  const classes = PROTOCOL_CLASSES.reduce((bits, name, at) => bits | (rule.protocols.includes(name) ? 1 << at : 0), 0);
  const each = <T>(list: readonly T[]): readonly (T | undefined)[] => (list.length > 0 ? list : [undefined]);
  return each(rule.sources).flatMap((source) =>
    each(rule.destinations).flatMap((destination) =>
      each(rule.sourcePorts).flatMap((sourcePort) =>
        each(rule.destinationPorts).map((destinationPort) => ({
          source: words(source).value,
          source_mask: words(source).mask,
          destination: words(destination).value,
          destination_mask: words(destination).mask,
          source_port: sourcePort ?? 0,
          destination_port: destinationPort ?? 0,
          classes,
          source_version: source?.family ?? 0,
          destination_version: destination?.family ?? 0,
        })),
      ),
    ),
  );
}

/** A rule that matches nothing: for the places behind the last. */
export const NO_RULE: FlowmonRule = {
  source: [0n, 0n],
  source_mask: [0n, 0n],
  destination: [0n, 0n],
  destination_mask: [0n, 0n],
  source_port: 0,
  destination_port: 0,
  classes: 0,
  source_version: 0,
  destination_version: 0,
};

/** Value and mask of an address in memory order, read as little-endian words. */
function words(cidr: Cidr | undefined): { readonly value: readonly bigint[]; readonly mask: readonly bigint[] } {
  const value = new DataView(new ArrayBuffer(16));
  const mask = new DataView(new ArrayBuffer(16));
  if (cidr) {
    const bits = (cidr.family === 4 ? 96 : 0) + cidr.prefixLength;
    for (let bit = 0; bit < bits; bit++) mask.setUint8(bit >> 3, mask.getUint8(bit >> 3) | (0x80 >> (bit & 7)));
    for (let at = 0; at < 16; at++) value.setUint8(at, (cidr.address[at] ?? 0) & mask.getUint8(at));
  }
  const read = (view: DataView) => [view.getBigUint64(0, true), view.getBigUint64(8, true)];
  return { value: read(value), mask: read(mask) };
}
