import type { OpenBpfObject } from "@waymark/bpf-runtime";
import type { altmarkSpec } from "../bpf/altmark.gen.ts";
import { type FlowRule, MAX_RULES } from "./flow-rule.ts";
import { kernelRule } from "./kernel-rule.ts";

/** What the packet programs are told before they are loaded. Durations in nanoseconds. */
export interface KernelConfig {
  readonly intervalNs: bigint;
  readonly guardNs: bigint;
  /** Octets before the IP header. */
  readonly l2Length: number;
  /** Blocks that may wait to be read: a power of two, at most 64. */
  readonly slots: number;
  readonly rules: readonly FlowRule[];
  readonly perFlow: boolean;
  /** The filter may outlive its process. */
  readonly leased: boolean;
  readonly keepMarks: boolean;
  readonly isSink: boolean;
}

/** Sets the constants and the size of `counts` of programs that are not loaded yet. */
export function configure(open: Pick<OpenBpfObject<typeof altmarkSpec>, "rodata" | "map">, config: KernelConfig): void {
  const { rules, slots } = config;
  const unused = kernelRule({ path: "", flow: "" });
  open.rodata.set({
    config: {
      interval_ns: config.intervalNs,
      guard_ns: config.guardNs,
      l2_length: config.l2Length,
      slots,
      rules: rules.length,
      per_flow: config.perFlow ? 1 : 0,
      leased: config.leased ? 1 : 0,
      keep_marks: config.keepMarks ? 1 : 0,
      is_sink: config.isSink ? 1 : 0,
    },
    rules: Array.from({ length: MAX_RULES }, (_, i) => (rules[i] ? kernelRule(rules[i]) : unused)),
  });
  open.map("counts").setMaxEntries(slots * countersInSlot(rules.length));
}

/** Counters of a slot: one a rule (or one, without rules), and the last of marked fragments that match none. */
export function countersInSlot(rules: number): number {
  return Math.max(1, rules) + 1;
}
