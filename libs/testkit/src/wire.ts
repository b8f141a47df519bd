import { exec } from "./exec.ts";
import type { ManagedProcess } from "./managed-process.ts";
import { nativeProgram } from "./native.ts";
import type { LinkEnd, NetLab } from "./net-lab.ts";

const ANSWER_DEADLINE_MS = 5_000;

/** What a wire does to the packets of each direction; everything absent is off. "Every n" counts from the start. */
export interface WireOptions {
  readonly delayUs?: number;
  /** Of packets from the second end to the first; as `delayUs` unless given. */
  readonly reverseDelayUs?: number;
  /** Uniform in 0 … jitterUs on top of the delay; keeps the order. */
  readonly jitterUs?: number;
  readonly rateKbit?: number;
  /** Random loss in parts per million, from `seed`. */
  readonly lossPpm?: number;
  readonly seed?: number;
  readonly dropEvery?: number;
  readonly duplicateEvery?: number;
  /** Every n-th packet is held back by `reorderUs`, so that later ones overtake it. */
  readonly reorderEvery?: number;
  readonly reorderUs?: number;
  /** Between TUN devices, which carry bare IP packets, instead of TAP ones (default false). */
  readonly layer3?: boolean;
}

/** Packets of one direction. `seen` = dropped + what went into the queue (+ duplicates); `other` is not IP, multicast, or ND. */
export interface WireCounters {
  readonly seen: number;
  readonly other: number;
  readonly dropped: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** Lost because the wire's own queue was full. */
  readonly overflowed: number;
  /** The kernel did not take them. */
  readonly unsent: number;
  readonly passed: number;
  readonly queued: number;
}

/** Both directions; forward is from the first end to the second. */
export interface WireState {
  readonly forward: WireCounters;
  readonly reverse: WireCounters;
}

/** A link between two TAP (or TUN) devices with delay and faults, made by a process in user space (no netem needed). */
export class Wire implements AsyncDisposable {
  readonly #process: ManagedProcess;

  private constructor(process: ManagedProcess) {
    this.#process = process;
  }

  /** Makes both devices and brings them up. @throws {Error} no TUN/TAP in this kernel, or a name is taken */
  static async start(lab: NetLab, a: LinkEnd, b: LinkEnd, options: WireOptions): Promise<Wire> {
    const program = await nativeProgram("wire");
    const settings = Object.entries(options).map(
      ([name, value]) => `${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}=${Number(value)}`,
    );
    const child = lab.here.spawn([program, a.ns.path, a.device, b.ns.path, b.device, ...settings]);
    await child.waitForLine(/^up$/, { deadlineMs: ANSWER_DEADLINE_MS });
    await lab.configure(a);
    await lab.configure(b);
    return new Wire(child);
  }

  /** Counters now. @throws {Error} the wire has ended */
  async state(): Promise<WireState> {
    const from = this.#process.stdout.length;
    this.#process.write("\n");
    return JSON.parse(await this.#process.waitForLine(/^\{/, { deadlineMs: ANSWER_DEADLINE_MS, from })) as WireState;
  }

  /** Takes the wire and its devices away. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** Why no wire can be made here, or undefined. */
export async function whyNoWire(): Promise<string | undefined> {
  const { code } = await exec(["test", "-c", "/dev/net/tun"], { allowFailure: true });
  return code === 0 ? undefined : "needs /dev/net/tun";
}
