import type { ManagedProcess } from "./managed-process.ts";
import type { Namespace } from "./namespace.ts";
import { requireTool } from "./privilege.ts";

const START_DEADLINE_MS = 10_000;

/** What an iperf3 client is to do. */
export interface Iperf3Options {
  readonly to: string;
  readonly port?: number;
  /** Ends by time (default 1 s) … */
  readonly seconds?: number;
  /** … or after so many octets. */
  readonly bytes?: number;
  readonly udp?: boolean;
  /** Bits a second; 0 is no limit. */
  readonly bitrate?: number;
  readonly streams?: number;
  /** From server to client. */
  readonly reverse?: boolean;
  readonly tos?: number;
  /** Length of a datagram's payload or of a write, in octets. */
  readonly length?: number;
  readonly extra?: readonly string[];
}

/** The figures of a run. */
export interface Iperf3Result {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly bitsPerSecond: number;
  /** TCP only. */
  readonly retransmits: number | undefined;
  /** UDP only. */
  readonly lostPackets: number | undefined;
  readonly packets: number | undefined;
}

interface RawSum {
  readonly bytes: number;
  readonly bits_per_second: number;
  readonly retransmits?: number;
  readonly lost_packets?: number;
  readonly packets?: number;
}

/** Starts an iperf3 server in a namespace and waits until it listens. @throws {Error} not installed, or the port is taken */
export async function startIperf3Server(ns: Namespace, port = 5201): Promise<ManagedProcess> {
  requireTool("iperf3");
  const child = ns.spawn(["iperf3", "--server", "--port", String(port), "--forceflush"]);
  await child.waitForLine(/Server listening/, { deadlineMs: START_DEADLINE_MS });
  return child;
}

/** Runs an iperf3 client and returns its figures. @throws {CommandError} no server, or it failed */
export async function runIperf3(ns: Namespace, options: Iperf3Options): Promise<Iperf3Result> {
  const seconds = options.seconds ?? 1;
  const argv = ["iperf3", "--json", "--client", options.to, "--port", String(options.port ?? 5201)];
  if (options.bytes === undefined) argv.push("--time", String(seconds));
  else argv.push("--bytes", String(options.bytes));
  if (options.udp) argv.push("--udp");
  if (options.bitrate !== undefined) argv.push("--bitrate", String(options.bitrate));
  if (options.streams !== undefined) argv.push("--parallel", String(options.streams));
  if (options.reverse) argv.push("--reverse");
  if (options.tos !== undefined) argv.push("--tos", String(options.tos));
  if (options.length !== undefined) argv.push("--length", String(options.length));
  const { stdout } = await ns.exec([...argv, ...(options.extra ?? [])], { deadlineMs: seconds * 1000 + 60_000 });
  const end = (JSON.parse(stdout) as { readonly end: Record<string, RawSum | undefined> }).end;
  const sent = end["sum_sent"] ?? end["sum"];
  const received = end["sum_received"] ?? end["sum"];
  if (sent === undefined || received === undefined) throw new Error("iperf3: no sums in its answer");
  return {
    sentBytes: sent.bytes,
    receivedBytes: received.bytes,
    bitsPerSecond: received.bits_per_second,
    retransmits: sent.retransmits,
    lostPackets: (end["sum"] ?? received).lost_packets,
    packets: (end["sum"] ?? received).packets,
  };
}
