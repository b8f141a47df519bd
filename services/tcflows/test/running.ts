import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ManagedProcess, Namespace, NetLab } from "@waymark/testkit";

/** The command's file. */
export const BIN = fileURLToPath(new URL("../bin/tcflows.js", import.meta.url));
const DEADLINE_MS = 60_000;

/** One JSON line. */
export interface Line {
  readonly interface: string;
  readonly direction: "ingress" | "egress";
  readonly protocol?: string;
  readonly ether_type?: string;
  readonly overflow?: boolean;
  readonly source?: string;
  readonly destination?: string;
  readonly source_port?: number;
  readonly destination_port?: number;
  readonly icmp_type?: number;
  readonly vlan_id?: number;
  readonly packets: number;
  readonly l3_bytes: number;
  readonly l2_bytes: number;
  readonly back_packets?: number;
  readonly tcp_flags?: readonly string[];
  readonly duration_ms: number;
  readonly start_time: string;
  readonly duplicate?: boolean;
  readonly state: "open" | "ended";
  readonly end_reason?: string;
}

/** A tcflows that writes into a file: more than a test would want to keep in memory. */
export class Running {
  readonly agent: ManagedProcess;
  readonly #file: string;

  private constructor(agent: ManagedProcess, file: string) {
    this.agent = agent;
    this.#file = file;
  }

  /** Starts it; JSON lines of what is new, every 100 ms, unless the flags (which come later) say otherwise. */
  static async start(
    lab: NetLab,
    ns: Namespace,
    devices: readonly string[],
    ...flags: readonly string[]
  ): Promise<Running> {
    const file = join(lab.folder, `${++Running.#count}.jsonl`);
    const words = ["-freq", "100ms", "--interval-totals", "--format", "jsonl", ...flags];
    for (const device of devices) words.push("-iface", device);
    const shell = ["sh", "-c", 'out="$1"; shift; exec "$@" >"$out"', "sh", file];
    const agent = ns.spawn([...shell, process.execPath, BIN, ...words]);
    for (const device of devices) {
      const started = new RegExp(`"interface":"${device}".*measuring`);
      await agent.waitForLine(started, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    }
    return new Running(agent, file);
  }

  static #count = 0;

  /** All lines until now. */
  async lines(): Promise<readonly Line[]> {
    const text = await readFile(this.#file, "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    return whole
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line);
  }

  /** Ends it in order; all lines. */
  async stop(): Promise<readonly Line[]> {
    this.agent.signal("SIGTERM");
    expect(await this.agent.exited).toEqual({ code: 0, signal: null });
    return this.lines();
  }
}

/** Packets and bytes of some lines together. */
export function sumOf(lines: readonly Line[]): { packets: number; l3Bytes: number; l2Bytes: number } {
  const sum = { packets: 0, l3Bytes: 0, l2Bytes: 0 };
  for (const line of lines) {
    sum.packets += line.packets;
    sum.l3Bytes += line.l3_bytes;
    sum.l2Bytes += line.l2_bytes;
  }
  return sum;
}
