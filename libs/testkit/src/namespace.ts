import { readFile } from "node:fs/promises";
import { type ExecOptions, type ExecResult, exec } from "./exec.ts";
import { ManagedProcess, type SpawnOptions } from "./managed-process.ts";
import { ethtoolArguments, type Offloads } from "./offloads.ts";

/** Counters of a network interface, as the kernel gives them in `/sys/class/net/…/statistics`. */
export interface InterfaceStatistics {
  readonly rxPackets: bigint;
  readonly rxBytes: bigint;
  readonly txPackets: bigint;
  readonly txBytes: bigint;
  readonly rxDropped: bigint;
  readonly txDropped: bigint;
}

/** A network namespace: one that a NetLab made, or the runner's own (`kernelName` undefined). */
export class Namespace {
  /** What the test calls it. */
  readonly label: string;
  /** Its name for `ip netns`, or undefined for the namespace this process is in. */
  readonly kernelName: string | undefined;
  #processes: ManagedProcess[] = [];

  constructor(label: string, kernelName: string | undefined) {
    this.label = label;
    this.kernelName = kernelName;
  }

  /** A file that names this namespace, for setns. */
  get path(): string {
    return this.kernelName === undefined ? "/proc/self/ns/net" : `/run/netns/${this.kernelName}`;
  }

  /** The command that runs `argv` in here: with a /sys of its own, so that /sys/class/net shows this namespace. */
  command(argv: readonly string[]): string[] {
    return this.kernelName === undefined ? [...argv] : ["ip", "netns", "exec", this.kernelName, ...argv];
  }

  /** Runs a command in here and waits for its end. @throws {CommandError} */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult> {
    return exec(this.command(argv), options);
  }

  /** Starts a process in here; it is ended with the lab at the latest. Its pid is the command's own. */
  spawn(argv: readonly string[], options?: SpawnOptions): ManagedProcess {
    const child = new ManagedProcess(this.command(argv), options);
    this.#processes = this.#processes.filter((other) => other.status === undefined);
    this.#processes.push(child);
    return child;
  }

  /** Runs `ip` commands, one a line, as one batch. @throws {CommandError} the first that fails */
  async ip(...lines: readonly string[]): Promise<void> {
    const where = this.kernelName === undefined ? [] : ["-n", this.kernelName];
    await exec(["ip", ...where, "-batch", "-"], { input: `${lines.join("\n")}\n` });
  }

  /** Answers of `ip -json …`. @throws {CommandError} */
  async ipJson(...args: readonly string[]): Promise<unknown> {
    const where = this.kernelName === undefined ? [] : ["-n", this.kernelName];
    const { stdout } = await exec(["ip", ...where, "-json", ...args]);
    return stdout.trim() === "" ? [] : JSON.parse(stdout);
  }

  /** Applies an nft script. @throws {CommandError} */
  async nft(script: string): Promise<void> {
    await this.exec(["nft", "-f", "-"], { input: script });
  }

  /** Sets `/proc/sys` values, names with dots. A name that this kernel lacks is an error. @throws {CommandError} */
  async sysctl(values: Readonly<Record<string, string | number>>): Promise<void> {
    const script = Object.entries(values).map(
      ([key, value]) => `echo '${value}' > /proc/sys/${key.replaceAll(".", "/")}`,
    );
    await this.exec(["sh", "-ec", script.join("\n")]);
  }

  /** Switches offloads of an interface. @throws {CommandError} no such interface, or it refuses */
  async offloads(device: string, offloads: Offloads): Promise<void> {
    const args = ethtoolArguments(offloads);
    if (args.length > 0) await this.exec(["ethtool", "-K", device, ...args]);
  }

  /** Number of an interface. @throws {CommandError} there is none of this name */
  async ifindex(device: string): Promise<number> {
    const [link] = (await this.ipJson("link", "show", "dev", device)) as readonly { readonly ifindex: number }[];
    if (link === undefined) throw new Error(`${this.label}: no interface ${device}`);
    return link.ifindex;
  }

  /** Hardware address of an interface, `aa:bb:cc:dd:ee:ff`. */
  async macAddress(device: string): Promise<string> {
    const [link] = (await this.ipJson("link", "show", "dev", device)) as readonly { readonly address: string }[];
    if (link === undefined) throw new Error(`${this.label}: no interface ${device}`);
    return link.address;
  }

  /** The kernel's counters of an interface. One super-packet counts as one packet here. */
  async statistics(device: string): Promise<InterfaceStatistics> {
    const names = ["rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "rx_dropped", "tx_dropped"];
    const files = names.map((name) => `/sys/class/net/${device}/statistics/${name}`);
    const text =
      this.kernelName === undefined
        ? (await Promise.all(files.map((file) => readFile(file, "latin1")))).join("")
        : (await this.exec(["cat", ...files])).stdout;
    const [rxPackets, rxBytes, txPackets, txBytes, rxDropped, txDropped] = text.trim().split("\n").map(BigInt);
    if (txDropped === undefined) throw new Error(`${this.label}: unreadable statistics of ${device}`);
    return { rxPackets, rxBytes, txPackets, txBytes, rxDropped, txDropped } as InterfaceStatistics;
  }

  /** Ends every process that was spawned in here. */
  async stopProcesses(): Promise<void> {
    await Promise.all(this.#processes.map((child) => child[Symbol.asyncDispose]()));
    this.#processes = [];
  }
}
