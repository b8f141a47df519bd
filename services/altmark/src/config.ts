import { CommandError } from "@waymark/agent";
import type { Role } from "./block.ts";
import {
  DEFAULT_FLOW,
  DEFAULT_PATH,
  type FlowRule,
  FlowRuleError,
  isName,
  MAX_RULES,
  overlapOfPaths,
  parseFlowRule,
} from "./flow-rule.ts";

/** What is measured, and how. Durations in nanoseconds. */
export interface Measurement {
  readonly role: Role;
  readonly intervalNs: bigint;
  /** d, below half the interval. */
  readonly guardNs: bigint;
  readonly paths: readonly string[];
  /** Empty: one flow `default` of all packets. */
  readonly rules: readonly FlowRule[];
  readonly perFlow: boolean;
  readonly tableSize: number;
  readonly keepMarks: boolean;
}

/** The command line's part of a measurement. */
export interface MeasurementOptions {
  readonly interval: bigint;
  readonly path: readonly string[];
  readonly flow: readonly string[];
  readonly perFlow: boolean;
  readonly tableSize: number;
  readonly guard: bigint | undefined;
  readonly keepMarks?: boolean;
}

/**
 * Checks what belongs together and fills in what was not said.
 *
 * @throws CommandError
 */
export function measurementOf(role: Role, options: MeasurementOptions): Measurement {
  const paths = options.path.length > 0 ? options.path : [DEFAULT_PATH];
  for (const [index, path] of paths.entries()) {
    if (!isName(path)) throw new CommandError(`--path "${path}" is not 1 to 64 of A-Z a-z 0-9 _ . -`);
    if (paths.indexOf(path) !== index) throw new CommandError(`--path ${path} is there twice`);
  }
  return {
    role,
    intervalNs: options.interval,
    guardNs: guardOf(options),
    paths,
    rules: rulesOf(options.flow, paths),
    perFlow: options.perFlow,
    tableSize: options.tableSize,
    keepMarks: options.keepMarks ?? false,
  };
}

function guardOf(options: MeasurementOptions): bigint {
  const guard = options.guard ?? options.interval / 4n;
  if (guard * 2n >= options.interval) {
    throw new CommandError(
      `--guard ${Number(guard) / 1e6} ms is not below half the interval (${Number(options.interval) / 2e6} ms); the colours could not be told apart`,
    );
  }
  return guard;
}

function rulesOf(flows: readonly string[], paths: readonly string[]): readonly FlowRule[] {
  try {
    const rules = flows.map((flow) => parseFlowRule(flow, paths));
    if (rules.length > MAX_RULES) throw new FlowRuleError(`${rules.length} --flow are more than ${MAX_RULES}`);
    checkDistinct(rules, paths);
    return rules;
  } catch (error) {
    if (error instanceof FlowRuleError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

function checkDistinct(rules: readonly FlowRule[], paths: readonly string[]): void {
  const names = new Set<string>();
  for (const { path, flow } of rules) {
    const name = `${path}/${flow}`;
    if (names.has(name)) throw new FlowRuleError(`there are two --flow ${flow} on path ${path}`);
    names.add(name);
  }
  if (paths.length === 1) return;
  const bare = paths.find((path) => !rules.some((rule) => rule.path === path));
  if (bare !== undefined) {
    throw new FlowRuleError(
      `path ${bare} has no --flow; with several paths each needs its own, with CIDRs that do not overlap`,
    );
  }
  const overlap = overlapOfPaths(rules);
  if (overlap) {
    const [a, b] = overlap;
    throw new FlowRuleError(
      `--flow ${a.path}/${a.flow} and ${b.path}/${b.flow} can match the same packet; paths on one interface need CIDRs that do not overlap`,
    );
  }
}

/** The path and flow that a packet of rule number `rule` is counted in; without rules there is number 0 alone. */
export function flowOfRule(measurement: Measurement, rule: number): { readonly path: string; readonly flow: string } {
  const { rules, paths } = measurement;
  return rules[rule] ?? { path: paths[0] ?? DEFAULT_PATH, flow: DEFAULT_FLOW };
}
