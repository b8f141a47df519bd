import { fileURLToPath } from "node:url";
import { type ManagedProcess, type Namespace, NetLab, type Offloads, Wire, type WireOptions } from "@waymark/testkit";

/** The built command. */
export const BIN = fileURLToPath(new URL("../bin/stamp.js", import.meta.url));
const SKEWED = fileURLToPath(new URL("fixtures/skewed-stamp.ts", import.meta.url));
/** Long enough for a machine that has other things to do. */
export const DEADLINE_MS = 60_000;
export const DEVICE = "eth0";
export const NEAR = ["10.66.0.1", "fd66::1"] as const;
export const FAR = ["10.66.0.2", "fd66::2"] as const;
export const SOURCE_PORT = 40_000;
export const PORT = 862;

/** Figures of a delay. */
export interface MetricLine {
  readonly count: number;
  readonly min_ns: number;
  readonly p50_ns: number;
  readonly max_ns: number;
}

/** The last line of `sender --format jsonl`, of a session. */
export interface SummaryLine {
  readonly host: string;
  readonly sent_packets: number;
  readonly received_packets: number;
  readonly lost_packets: number;
  readonly lost_forward_packets: number | null;
  readonly lost_backward_packets: number | null;
  readonly late_packets: number;
  readonly duplicate_packets: number;
  readonly reordered_packets: number;
  readonly forward: MetricLine;
  readonly backward: MetricLine;
  readonly round_trip: MetricLine;
  readonly residence: MetricLine;
  readonly one_way_trust: string;
  readonly one_way_error_ns: number | null;
  readonly synchronised: boolean;
  readonly clock_offset_ns: number | null;
}

/** An answer's line of `sender --format jsonl --samples`. */
export interface AnswerLine {
  readonly kind: string;
  readonly sequence: number;
  readonly reflector_sequence: number;
  readonly forward_ns: number | null;
  readonly backward_ns: number | null;
  readonly round_trip_ns: number | null;
  readonly residence_ns: number | null;
}

/** What a sender printed. */
export interface SenderResult {
  readonly code: number | null;
  readonly summaries: readonly SummaryLine[];
  readonly answers: readonly AnswerLine[];
  readonly errors: readonly string[];
}

/** The clock of another host. */
export interface OtherClock {
  readonly skewMs: number;
  readonly synchronised?: boolean;
  readonly maxErrorMs?: number;
  readonly taiOffsetS?: number;
}

/** Two hosts, and a link or a wire between their interfaces `eth0`. */
export class StampPath implements AsyncDisposable {
  readonly lab: NetLab;
  readonly near: Namespace;
  readonly far: Namespace;
  readonly wire: Wire | undefined;

  private constructor(lab: NetLab, near: Namespace, far: Namespace, wire: Wire | undefined) {
    this.lab = lab;
    this.near = near;
    this.far = far;
    this.wire = wire;
  }

  /** @param far more addresses of the far end, with prefix lengths */
  static async create(
    options: { readonly wire?: WireOptions; readonly offloads?: Offloads; readonly far?: readonly string[] } = {},
  ): Promise<StampPath> {
    const lab = await NetLab.create();
    try {
      const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
      const offloads = options.offloads ? { offloads: options.offloads } : {};
      const a = { ns: near, device: DEVICE, addresses: [`${NEAR[0]}/16`, `${NEAR[1]}/64`], ...offloads };
      const addresses = [`${FAR[0]}/16`, `${FAR[1]}/64`, ...(options.far ?? [])];
      const b = { ns: far, device: DEVICE, addresses, ...offloads };
      const wire = options.wire ? await Wire.start(lab, a, b, options.wire) : undefined;
      if (!wire) await lab.link(a, b);
      return new StampPath(lab, near, far, wire);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `stamp …` in a namespace. */
  spawn(ns: Namespace, args: readonly string[], clock?: OtherClock): ManagedProcess {
    if (!clock) return ns.spawn([process.execPath, BIN, ...args]);
    const { skewMs, synchronised = true, maxErrorMs = 1, taiOffsetS = 0 } = clock;
    const words = [skewMs, synchronised ? 1 : 0, maxErrorMs, taiOffsetS].map(String);
    return ns.spawn([process.execPath, "--conditions=source", "--import", "tsx", SKEWED, ...words, ...args]);
  }

  /** A reflector at the far end that answers. */
  async reflector(args: readonly string[] = [], clock?: OtherClock): Promise<ManagedProcess> {
    const child = this.spawn(this.far, ["reflector", DEVICE, ...args], clock);
    await child.waitForLine(/"reflecting"/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    return child;
  }

  /** A sender at the near end, until it ends. */
  async sender(args: readonly string[], clock?: OtherClock): Promise<SenderResult> {
    const common = ["-s", String(SOURCE_PORT), "--format", "jsonl"];
    return senderResult(this.spawn(this.near, ["sender", DEVICE, ...args, ...common], clock));
  }

  /** Both ends have each other's hardware address, so that no first packet waits for it. The wire may lose the pings. */
  async acquaint(): Promise<void> {
    for (const to of FAR) await this.near.exec(["ping", "-c", "1", "-W", "1", to], { allowFailure: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

/** What a sender printed, when it has ended. */
export async function senderResult(child: ManagedProcess): Promise<SenderResult> {
  const { code } = await child.exited;
  const lines = child.stdout.map((line) => JSON.parse(line) as { readonly type: string });
  const of = (type: string) => lines.filter((line) => line.type === type);
  return {
    code,
    summaries: of("summary") as unknown as SummaryLine[],
    answers: of("answer") as unknown as AnswerLine[],
    errors: child.stderr,
  };
}
