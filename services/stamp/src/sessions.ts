import { monotonicNow } from "@waymark/bpf-runtime";
import { parseAddress } from "@waymark/packet";
import type { WallClock } from "@waymark/probe";
import type { Mode } from "./codec/mode.ts";
import type { SenderOptions } from "./options.ts";
import type { ReportedSession } from "./publish.ts";
import { periodic, poisson } from "./schedule.ts";
import type { SenderMeter } from "./sender-meter.ts";
import { ownClock, tlvsOf, windowOf } from "./sender-plan.ts";
import type { Target } from "./target.ts";
import { type OwnClock, type SessionPlan, TestSession } from "./test-session.ts";
import { TestSocket } from "./test-socket.ts";

/** What sessions are made of. */
export interface SessionsOptions {
  readonly options: SenderOptions;
  readonly targets: readonly Target[];
  readonly meter: SenderMeter;
  readonly clock: WallClock;
  readonly mode: Mode;
  /** Signs TLVs. */
  readonly key: () => Uint8Array | undefined;
  /** What to add to CLOCK_MONOTONIC for the times of the statistics. */
  readonly timelineNs: bigint;
}

/** How long the first packet waits for the last preparations. */
const START_NS = 1_000_000n;
const NOWHERE = new Uint8Array(16);

/** The sessions of a sender, by their numbers. */
export class Sessions implements Disposable {
  readonly all: readonly TestSession[];
  /** As reports name them. */
  readonly reported: readonly ReportedSession[];
  readonly #sockets: DisposableStack;

  private constructor(all: readonly TestSession[], reported: readonly ReportedSession[], sockets: DisposableStack) {
    this.all = all;
    this.reported = reported;
    this.#sockets = sockets;
  }

  /**
   * Opens a socket for each target and tells the packet programs.
   *
   * @throws CommandError
   */
  static async open({ options, targets, meter, clock, mode, key, timelineNs }: SessionsOptions): Promise<Sessions> {
    const { interval, wait, sourcePort, destinationPort, ssid, dscp } = options;
    using stack = new DisposableStack();
    const sockets: TestSocket[] = [];
    for (const [number, target] of targets.entries()) {
      sockets.push(stack.use(await TestSocket.open(target, sourcePort, destinationPort)));
      meter.addTarget(number, target.address, destinationPort);
    }
    const startNs = monotonicNow() + START_NS;
    const plan: SessionPlan = {
      mode,
      ssid,
      count: options.count,
      port: destinationPort,
      tlvs: tlvsOf(options),
      cookie: meter.cookie,
      key,
      clock: cachedClock(clock, options),
      stats: {
        startNs: startNs + timelineNs,
        intervalNs: options.reportInterval,
        waitNs: wait,
        remembered: windowOf(options),
      },
    };
    const schedule = options.schedule === "poisson" ? poisson : periodic;
    const all = sockets.map((socket, number) => {
      // Not all at once, where there are several.
      const ownStartNs = startNs + (interval * BigInt(number)) / BigInt(targets.length);
      return new TestSession(targets[number] as Target, plan, socket, schedule(ownStartNs, interval));
    });
    const reported = all.map(({ target, localAddress }) => ({
      senderAddress: parseAddress(localAddress) ?? NOWHERE,
      reflectorAddress: parseAddress(target.address) ?? NOWHERE,
      senderPort: sourcePort,
      reflectorPort: destinationPort,
      ssid,
      dscp,
      authenticated: mode === "authenticated",
    }));
    return new Sessions(all, reported, stack.move());
  }

  /** Monotonic time of the next packet of all; undefined after the last. */
  get dueNs(): bigint | undefined {
    return this.all.reduce<bigint | undefined>((first, { dueNs }) => {
      if (dueNs === undefined) return first;
      return first === undefined || dueNs < first ? dueNs : first;
    }, undefined);
  }

  /** All packets are out and have their fate. */
  get areDone(): boolean {
    return this.all.every(({ isDone }) => isDone);
  }

  [Symbol.dispose](): void {
    this.#sockets[Symbol.dispose]();
  }
}

/** Asking the kernel for every packet would cost more than the packet. */
const CACHE_NS = 1_000_000_000n;

function cachedClock(clock: WallClock, options: SenderOptions): () => OwnClock {
  let known: OwnClock | undefined;
  let untilNs = 0n;
  return () => {
    const now = monotonicNow();
    if (!known || now >= untilNs) {
      known = ownClock(clock, options);
      untilNs = now + CACHE_NS;
    }
    return known;
  };
}
