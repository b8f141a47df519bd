import { readdirSync } from "node:fs";
import { CommandError } from "@waymark/agent";
import { BpfError, defaultRouteInterface, interfaceInfo } from "@waymark/bpf-runtime";
import { MAX_RTP_PORTS, type RtpPort } from "./kernel-config.ts";
import type { Intervals } from "./schedule.ts";

/** The command line's part of a measurement. */
export interface MeasurementOptions {
  readonly interface: readonly string[];
  readonly interval: bigint;
  readonly jitter: bigint;
  readonly direction: "ingress" | "egress" | "both";
  readonly packetLoss: boolean;
  readonly rtp: readonly string[];
  readonly tableSize: number;
  readonly idleTimeout: bigint;
}

/** What is measured, and how. */
export interface Measurement {
  readonly devices: readonly string[];
  readonly intervals: Intervals;
  readonly ingress: boolean;
  readonly egress: boolean;
  readonly loss: boolean;
  readonly rtp: { readonly recognise: boolean; readonly ports: readonly RtpPort[] };
  /** Flows of an interface at the most. */
  readonly tableSize: number;
  readonly idleNs: bigint;
}

const MIN_JITTER_NS = 10_000_000n;
const RECOGNISE = "auto";

/** Checks what belongs together and fills in what was not said. @throws CommandError */
export function measurementOf(options: MeasurementOptions): Measurement {
  const { jitter, direction } = options;
  if (jitter > 0n && jitter < MIN_JITTER_NS) {
    throw new CommandError(
      `-j ${Number(jitter) / 1e6} is below 10 ms; 0 shows the jitter with the rest, every -t seconds`,
    );
  }
  const devices = options.interface.length > 0 ? options.interface : physicalInterfaces();
  const twice = devices.find((device, at) => devices.indexOf(device) !== at);
  if (twice !== undefined) throw new CommandError(`-i ${twice} is there twice`);
  return {
    devices,
    intervals: { throughputNs: options.interval, jitterNs: jitter === options.interval ? 0n : jitter },
    ingress: direction !== "egress",
    egress: direction !== "ingress",
    loss: options.packetLoss,
    rtp: rtpOf(options.rtp),
    tableSize: options.tableSize,
    idleNs: options.idleTimeout,
  };
}

/** `auto`, `PORT` or `PORT:RATE`; undefined if it is none of them. */
export function parseRtp(text: string): RtpPort | typeof RECOGNISE | undefined {
  if (text === RECOGNISE) return RECOGNISE;
  const [, port, rate] = /^(\d{1,5})(?::(\d{1,9}))?$/.exec(text) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535 || rate === "0") return undefined;
  return { port: Number(port), rate: rate === undefined ? undefined : Number(rate) };
}

function rtpOf(texts: readonly string[]): Measurement["rtp"] {
  const parsed = texts.map(parseRtp);
  const ports = parsed.filter((item): item is RtpPort => typeof item === "object");
  if (ports.length > MAX_RTP_PORTS)
    throw new CommandError(`${ports.length} --rtp ports are more than ${MAX_RTP_PORTS}`);
  return { recognise: parsed.includes(RECOGNISE), ports };
}

const INTERFACES = "/sys/class/net";

/** Interfaces that stand for hardware and are up; on a host without any, that of the default route. @throws BpfError */
function physicalInterfaces(): readonly string[] {
  const found = names(INTERFACES).filter((name) => names(`${INTERFACES}/${name}`).includes("device") && isUp(name));
  return found.length > 0 ? found : [defaultRouteInterface()];
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no /sys here
  }
}

/** /sys may be of another network namespace than ours. */
function isUp(name: string): boolean {
  try {
    return interfaceInfo(name).up;
  } catch (error) {
    if (error instanceof BpfError && error.code === "BPF_NO_INTERFACE") return false;
    throw error;
  }
}
