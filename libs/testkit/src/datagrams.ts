import type { ExecOptions } from "./exec.ts";
import type { ManagedProcess } from "./managed-process.ts";
import type { Namespace } from "./namespace.ts";
import { nativeProgram } from "./native.ts";

const ANSWER_DEADLINE_MS = 10_000;

/** What to send. */
export interface DatagramOptions {
  /** Destination address, IPv4 or IPv6. */
  readonly to: string;
  readonly port: number;
  /** Exactly so many are sent, over all flows. */
  readonly count: number;
  /** Datagrams a second; absent: as fast as it goes. */
  readonly rate?: number;
  /** UDP payload in octets, at least 16 (default 64). */
  readonly size?: number;
  /** TOS or Traffic Class octet: DSCP × 4 + ECN. */
  readonly tos?: number;
  readonly ttl?: number;
  /** So many source ports in turn (default 1). */
  readonly flows?: number;
  /** First source port; the kernel's choice otherwise. */
  readonly fromPort?: number;
  /** Leave out DF, so that a router may fragment (IPv4). */
  readonly mayFragment?: boolean;
  readonly deadlineMs?: number;
}

/** What was sent. */
export interface SentDatagrams {
  readonly sent: number;
  /** Sends that the kernel refused and that were tried again. */
  readonly retried: number;
  readonly seconds: number;
}

/** Sends numbered UDP datagrams from a namespace and waits until all are handed to the kernel. @throws {CommandError} */
export async function sendDatagrams(ns: Namespace, options: DatagramOptions): Promise<SentDatagrams> {
  const settings: Record<string, number | undefined> = {
    count: options.count,
    rate: options.rate,
    size: options.size,
    tos: options.tos,
    ttl: options.ttl,
    flows: options.flows,
    from_port: options.fromPort,
    may_fragment: options.mayFragment === true ? 1 : undefined,
  };
  const words = Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  const argv = [await nativeProgram("datagrams"), "send", options.to, String(options.port), ...words];
  const execOptions: ExecOptions = options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs };
  const { stdout } = await ns.exec(argv, execOptions);
  return JSON.parse(stdout) as SentDatagrams;
}

/** What arrived at a receiver. */
export interface ReceivedDatagrams {
  readonly received: number;
  /** Different (flow, sequence) pairs. */
  readonly unique: number;
  readonly duplicates: number;
  /** Arrived after one of the same flow with a higher sequence. */
  readonly reordered: number;
  /** Not made by sendDatagrams. */
  readonly foreign: number;
  /** Lost in the receiver's own socket buffer: not the network's fault. */
  readonly socketDrops: number;
  /** UDP payload octets. */
  readonly bytes: number;
  readonly ttlMin: number;
  readonly ttlMax: number;
  /** How many by TOS or Traffic Class octet (decimal key), as the receiver's socket saw it. */
  readonly byTos: Readonly<Record<string, number>>;
}

/** Counts datagrams at an address and port of a namespace. */
export class DatagramReceiver implements AsyncDisposable {
  readonly #process: ManagedProcess;

  private constructor(process: ManagedProcess) {
    this.#process = process;
  }

  /** Binds (default: all IPv4 addresses; `::` for IPv6) and returns once datagrams are counted. @throws {Error} port taken */
  static async start(ns: Namespace, port: number, address = "0.0.0.0"): Promise<DatagramReceiver> {
    const child = ns.spawn([await nativeProgram("datagrams"), "receive", address, String(port)]);
    await child.waitForLine(/^ready$/, { deadlineMs: ANSWER_DEADLINE_MS });
    return new DatagramReceiver(child);
  }

  /** Everything that has arrived until now. */
  async counts(): Promise<ReceivedDatagrams> {
    const from = this.#process.stdout.length;
    this.#process.write("\n");
    const line = await this.#process.waitForLine(/^\{/, { deadlineMs: ANSWER_DEADLINE_MS, from });
    return JSON.parse(line) as ReceivedDatagrams;
  }

  /** Ends the receiver. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
