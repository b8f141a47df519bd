import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "./exec.ts";
import { Namespace } from "./namespace.ts";
import type { Offloads } from "./offloads.ts";
import { requirePrivileged, requireTool } from "./privilege.ts";

const MAX_NAMESPACES = 64;

/** One end of a veth pair. */
export interface LinkEnd {
  readonly ns: Namespace;
  /** Interface name, at most 15 characters. */
  readonly device: string;
  /** `address/length`, both families. IPv6 ones are usable at once (no duplicate address detection). */
  readonly addresses?: readonly string[];
  readonly mtu?: number;
  /** Hardware address; the kernel's choice otherwise. */
  readonly mac?: string;
  readonly offloads?: Offloads;
}

/** Throw-away network namespaces with names of their own, and the links between them. Dispose takes all away. */
export class NetLab implements AsyncDisposable {
  /** Begins every name that this lab made. */
  readonly prefix: string;
  /** The namespace this process is in: for programs that are attached by the test process itself. */
  readonly here: Namespace = new Namespace("here", undefined);
  /** A folder for captures and the like; goes with the lab. */
  readonly folder: string;
  #namespaces = new Map<string, Namespace>();
  #devicesHere: string[] = [];
  readonly #processes: Readonly<Record<string, number>>;

  private constructor(prefix: string, folder: string, processes: Readonly<Record<string, number>>) {
    this.prefix = prefix;
    this.folder = folder;
    this.#processes = processes;
  }

  /**
   * Makes an empty lab.
   *
   * @param processes labels of namespaces that are there already, such as a container's: the id of a process that lives in
   *   each. They outlive the lab if the process does.
   * @throws {Error} not permitted, or iproute2 is missing
   */
  static async create(processes: Readonly<Record<string, number>> = {}): Promise<NetLab> {
    requirePrivileged();
    requireTool("ip");
    const prefix = `wm${process.pid}-${randomBytes(3).toString("hex")}`;
    return new NetLab(prefix, await mkdtemp(join(tmpdir(), `${prefix}-`)), processes);
  }

  /** The namespaces that exist now. */
  get namespaces(): readonly Namespace[] {
    return [...this.#namespaces.values()];
  }

  /** Makes a namespace with `lo` up. @throws {RangeError} label taken, or more than 64 */
  async namespace(label: string): Promise<Namespace> {
    if (this.#namespaces.has(label)) throw new RangeError(`namespace ${label}: there is one already`);
    if (this.#namespaces.size >= MAX_NAMESPACES) throw new RangeError(`more than ${MAX_NAMESPACES} namespaces`);
    const ns = new Namespace(label, `${this.prefix}-${label}`);
    const pid = this.#processes[label];
    const words = pid === undefined ? ["add", ns.kernelName ?? ""] : ["attach", ns.kernelName ?? "", String(pid)];
    await exec(["ip", "netns", ...words]);
    this.#namespaces.set(label, ns);
    // container engines switch IPv6 off where they give no such address
    if (pid !== undefined) {
      await ns.sysctl({ "net.ipv6.conf.all.disable_ipv6": 0, "net.ipv6.conf.default.disable_ipv6": 0 });
    }
    await ns.sysctl({
      "net.ipv6.conf.default.accept_dad": 0,
      "net.ipv6.conf.default.router_solicitations": 0,
      "net.ipv4.conf.all.rp_filter": 0,
      "net.ipv4.conf.default.rp_filter": 0,
    });
    await ns.ip("link set dev lo up");
    return ns;
  }

  /** Joins two namespaces by a veth pair that is up at both ends. @throws {CommandError} */
  async link(a: LinkEnd, b: LinkEnd): Promise<void> {
    const at = (end: LinkEnd) => (end.ns.kernelName === undefined ? "" : `netns ${end.ns.kernelName}`);
    const mac = (end: LinkEnd) => (end.mac === undefined ? "" : `address ${end.mac}`);
    for (const end of [a, b]) if (end.ns.kernelName === undefined) this.#devicesHere.push(end.device);
    await this.here.ip(`link add ${a.device} ${mac(a)} ${at(a)} type veth peer name ${b.device} ${mac(b)} ${at(b)}`);
    for (const end of [a, b]) {
      if (end.offloads !== undefined) await end.ns.offloads(end.device, end.offloads);
    }
    for (const end of [a, b]) await this.configure(end);
  }

  /** Sets MTU and addresses of an interface that is there and brings it up. */
  async configure(end: LinkEnd): Promise<void> {
    await end.ns.ip(
      ...(end.mtu === undefined ? [] : [`link set dev ${end.device} mtu ${end.mtu}`]),
      `link set dev ${end.device} up`,
      ...(end.addresses ?? []).map(
        (address) => `address add ${address} dev ${end.device}${address.includes(":") ? " nodad" : ""}`,
      ),
    );
  }

  /** Ends the lab's processes, deletes its namespaces and links, and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.here, ...this.namespaces].map((ns) => ns.stopProcesses()));
    const failures: unknown[] = [];
    for (const device of this.#devicesHere) {
      await exec(["ip", "link", "delete", device], { allowFailure: true });
    }
    for (const ns of this.namespaces) {
      await exec(["ip", "netns", "delete", ns.kernelName ?? ""]).catch((error: unknown) => failures.push(error));
    }
    this.#namespaces.clear();
    this.#devicesHere = [];
    await rm(this.folder, { recursive: true, force: true });
    if (failures.length > 0) throw new AggregateError(failures, "namespaces could not be deleted");
  }
}
