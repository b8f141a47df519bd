import { fileURLToPath } from "node:url";
import type { ManagedProcess, Namespace } from "@waymark/testkit";

const BIN = fileURLToPath(new URL("../bin/flowmon.js", import.meta.url));
const DEADLINE_MS = 30_000;

/** A line of `--format jsonl`, as far as the tests look at it. */
export interface FlowLine {
  readonly from_ns: number | string;
  readonly to_ns: number | string;
  readonly interface: string;
  readonly flow?: string;
  readonly overflow?: string;
  readonly protocol?: number;
  readonly destination_port?: number;
  readonly packets: number;
  readonly l3_bytes: number;
  readonly payload_bytes: number;
  readonly goodput_bytes: number;
  readonly throughput_l3_bytes_per_second: number;
  readonly gaps: number;
  readonly gap_mean_ns?: number;
  readonly gap_stddev_ns?: number;
  readonly gaps_in_super_packets: number;
  readonly sequence?: Readonly<Record<string, number>>;
}

/** A flowmon in a namespace, measuring; with the built program. */
export class FlowmonProcess {
  readonly child: ManagedProcess;

  private constructor(child: ManagedProcess) {
    this.child = child;
  }

  static async start(ns: Namespace, ...args: readonly string[]): Promise<FlowmonProcess> {
    const child = ns.spawn([process.execPath, BIN, ...args], { env: { ...process.env, NODE_OPTIONS: "" } });
    await child.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    return new FlowmonProcess(child);
  }

  /** Ends it in order; all lines that it has printed as JSON. */
  async stop(): Promise<FlowLine[]> {
    await this.child.stop("SIGTERM");
    return this.child.stdout.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as FlowLine);
  }
}

/** How to run the command without waiting for it to measure. */
export function flowmon(ns: Namespace, ...args: readonly string[]): ManagedProcess {
  return ns.spawn([process.execPath, BIN, ...args], { env: { ...process.env, NODE_OPTIONS: "" } });
}

/** What a web server in a namespace answers on its loopback; empty if there is none. */
export async function fetchIn(ns: Namespace, port: number, path = "/metrics"): Promise<string> {
  const code = `fetch("http://127.0.0.1:${port}${path}").then((r) => r.text()).then(console.log, () => {})`;
  return (await ns.exec([process.execPath, "-e", code])).stdout;
}

/** Sum of a figure over lines. */
export function sum(lines: readonly FlowLine[], of: (line: FlowLine) => number): number {
  return lines.reduce((total, line) => total + of(line), 0);
}
