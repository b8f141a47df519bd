import type { FlowmonPlace, FlowmonSettings } from "../bpf/flowmon.gen.ts";
import type { ConfigFile, NumberPlace } from "./config-file.ts";
import { kernelRules, MAX_KERNEL_RULES, NO_RULE } from "./kernel-rule.ts";

/** FLOWMON_BY_OFFSET, FLOWMON_BY_PATTERN */
const MODES = { nowhere: 0, offset: 1, pattern: 2 } as const;
const NO_PLACE: NumberPlace = { pattern: undefined, offset: 0, octets: 4, littleEndian: false, step: 1n };

/** The two halves of a generation: a new first half makes flows forget their numbers, a new second one their rules. */
export interface Generation {
  readonly place: number;
  readonly rules: number;
}

/** The settings as the packet programs have them. */
export function kernelSettings(file: ConfigFile, generation: Generation): FlowmonSettings {
  const rules = file.rules.flatMap(kernelRules);
  return {
    generation: (BigInt(generation.place) << 32n) | BigInt(generation.rules),
    rule_count: rules.length,
    place: kernelPlace(file),
    rules: Array.from({ length: MAX_KERNEL_RULES }, (_, at) => rules[at] ?? NO_RULE),
  };
}

function kernelPlace({ place, threshold }: ConfigFile): FlowmonPlace {
  const { pattern, offset, octets, littleEndian, step } = place ?? NO_PLACE;
  const byPattern = pattern === undefined ? MODES.offset : MODES.pattern;
  return {
    threshold,
    step,
    mask: (1n << BigInt(8 * octets)) - 1n,
    mode: place === undefined ? MODES.nowhere : byPattern,
    offset,
    pattern: swap32(pattern ?? 0),
    width: octets,
    little_endian: littleEndian ? 1 : 0,
  };
}

/** The octets of a 32-bit number in the other order. */
function swap32(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return view.getUint32(0, true);
}

/** The next generation: both halves move only where what they stand for is different. */
export function nextGeneration(before: Generation, from: ConfigFile, to: ConfigFile): Generation {
  const text = (value: unknown) => JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? `${part}` : part));
  const rules = (file: ConfigFile) => text(file.rules.flatMap(kernelRules));
  return {
    place: before.place + (text(from.place) === text(to.place) ? 0 : 1),
    rules: before.rules + (rules(from) === rules(to) ? 0 : 1),
  };
}
