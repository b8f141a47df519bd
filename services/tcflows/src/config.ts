import { CommandError } from "@waymark/agent";
import { defaultRouteInterface } from "@waymark/bpf-runtime";
import type { TcflowsRule } from "../bpf/tcflows.gen.ts";
import { kernelRulesOf, parseFlowFilter } from "./flow-filter.ts";

/** The largest table: some GiB of kernel memory when it is full. */
export const MAX_TABLE_SIZE = 8_388_608;
/** The tables are read at least so often: what is held there is not yet told. */
const LONGEST_READ_NS = 1_000_000_000n;
/** More interfaces would need more kernel memory and time to read than a host can spare. */
const MAX_DEVICES = 64;

/** What is measured, and how. Durations in nanoseconds. */
export interface Measurement {
  readonly devices: readonly string[];
  /** How often the report is shown. */
  readonly showNs: bigint;
  /** How often the kernel's tables are read. */
  readonly readNs: bigint;
  readonly activeTimeoutNs: bigint;
  readonly idleTimeoutNs: bigint;
  readonly tableSize: number;
  /** Empty: everything is counted. */
  readonly rules: readonly TcflowsRule[];
  readonly dedup: boolean;
}

/** The command line's part of it. */
export interface MeasurementOptions {
  readonly iface: readonly string[];
  readonly freq: bigint;
  readonly activeTimeout: bigint;
  readonly idleTimeout: bigint;
  readonly tableSize: number;
  readonly filter: readonly string[];
  readonly dedup: boolean;
}

/**
 * Checks what belongs together and fills in what was not said.
 * @throws CommandError; BpfError if no interface is named and there is no default route
 */
export function measurementOf(options: MeasurementOptions): Measurement {
  const devices = options.iface.length > 0 ? [...new Set(options.iface)] : [defaultRouteInterface()];
  if (devices.length > MAX_DEVICES) throw new CommandError(`${devices.length} interfaces are more than ${MAX_DEVICES}`);
  const { freq, activeTimeout, idleTimeout, tableSize, dedup } = options;
  return {
    devices,
    showNs: freq,
    readNs: [freq, activeTimeout, LONGEST_READ_NS].reduce((least, ns) => (ns < least ? ns : least)),
    activeTimeoutNs: activeTimeout,
    idleTimeoutNs: idleTimeout,
    tableSize,
    rules: kernelRulesOf(options.filter.map(parseFlowFilter)),
    dedup,
  };
}
