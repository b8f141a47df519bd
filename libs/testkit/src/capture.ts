import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "./exec.ts";
import type { ManagedProcess } from "./managed-process.ts";
import type { Namespace } from "./namespace.ts";
import type { NetLab } from "./net-lab.ts";
import { requireTool } from "./privilege.ts";
import { waitFor } from "./wait-for.ts";

const START_DEADLINE_MS = 10_000;
const MAX_PACKETS = 1_000_000;

/** What to capture. */
export interface CaptureOptions {
  /** A tcpdump filter, e.g. `udp port 5000`. */
  readonly filter?: string;
  readonly direction?: "in" | "out";
  /** Octets of each packet to keep (default: all). */
  readonly snapLength?: number;
}

/** A capture of one interface into a pcap file. At the sender it shows super-packets, as the kernel does. */
export class Capture implements AsyncDisposable {
  /** The pcap file, in the lab's folder. */
  readonly path: string;
  readonly #process: ManagedProcess;
  static #count = 0;

  private constructor(path: string, process: ManagedProcess) {
    this.path = path;
    this.#process = process;
  }

  /** Starts tcpdump and returns once it listens. @throws {Error} not installed, no such interface, or a bad filter */
  static async start(lab: NetLab, ns: Namespace, device: string, options: CaptureOptions = {}): Promise<Capture> {
    requireTool("tcpdump");
    const path = join(lab.folder, `${++Capture.#count}-${ns.label}-${device}.pcap`);
    const argv = ["tcpdump", "-i", device, "-n", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-w", path];
    argv.push("-c", String(MAX_PACKETS), "-s", String(options.snapLength ?? 0));
    if (options.direction !== undefined) argv.push("-Q", options.direction);
    if (options.filter !== undefined) argv.push(options.filter);
    const child = ns.spawn(argv);
    await child.waitForLine(/listening on/, { deadlineMs: START_DEADLINE_MS, stream: "stderr" });
    return new Capture(path, child);
  }

  /** Ends the capture; resolves when the file is whole. @throws {Error} the kernel dropped packets of the capture itself */
  async stop(): Promise<void> {
    await this.#process.stop("SIGINT");
    const dropped = /(\d+) packets? dropped by kernel/.exec(this.#process.stderr.join("\n"))?.[1];
    if (dropped !== "0") throw new Error(`tcpdump: ${dropped ?? "?"} packets dropped by the capture`);
  }

  /** Waits until tcpdump has written `count` packets, and ends the capture. @throws {Error} the deadline passed */
  async stopAfter(count: number, deadlineMs: number): Promise<void> {
    await waitFor(async () => countPcapRecords(await readFile(this.path)) >= count, {
      deadlineMs,
      what: `${count} packets in ${this.path}`,
    });
    await this.stop();
  }

  /** Ends tcpdump, whatever it lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

function countPcapRecords(file: Buffer): number {
  let count = 0;
  for (let at = 24; at + 16 <= file.length; count++) at += 16 + file.readUInt32LE(at + 8);
  return count;
}

/**
 * Named fields of every packet of a pcap file that passes tshark's display filter, checksums verified.
 * A field that occurs several times is joined by commas; one that is absent is "". @throws {CommandError} unknown field or filter
 */
export async function readCapture<F extends string>(
  path: string,
  fields: readonly F[],
  displayFilter?: string,
): Promise<Record<F, string>[]> {
  const argv = [requireTool("tshark"), "-r", path, "-n", "-T", "fields", "-E", "separator=/t"];
  for (const protocol of ["ip", "tcp", "udp"]) argv.push("-o", `${protocol}.check_checksum:TRUE`);
  for (const field of fields) argv.push("-e", field);
  if (displayFilter !== undefined) argv.push("-Y", displayFilter);
  const { stdout } = await exec(argv, { deadlineMs: 120_000 });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const values = line.split("\t");
      return Object.fromEntries(fields.map((field, i) => [field, values[i] ?? ""])) as Record<F, string>;
    });
}
