import { errorLine, type Logger, type Publisher } from "@waymark/agent";
import { UnseenPackets, type WallClock } from "@waymark/probe";
import { type Block, blockStart } from "./block.ts";
import type { ClockStep } from "./clock-step.ts";
import type { Measurement } from "./config.ts";
import type { Meter } from "./meter.ts";
import { lossPayloads, presencePayload } from "./publish.ts";
import { blocksOf, type Reading } from "./reading.ts";
import { untilNextRead } from "./schedule.ts";

/** What the agent needs from outside. */
export interface AgentDependencies {
  readonly measurement: Measurement;
  readonly clock: WallClock;
  readonly logger: Logger;
  /** Attaches the packet programs; called again after a backward step of the clock. */
  readonly openMeter: () => Meter;
  /** A publisher under a boot id of its own. */
  readonly openPublisher: (meter: Meter, unseenPackets: () => bigint) => Publisher;
  /** Called with every finished block, oldest first. */
  readonly onBlock: (block: Block) => void;
  /** Called when the programs are off the interface and everything was read. */
  readonly onDetached: () => void;
  /** Throws when the interface is gone. */
  readonly checkInterface: () => void;
}

const LEASE_RENEWAL_MS = 1000;
/** A clock that moved by more against CLOCK_MONOTONIC was stepped (ALTMARK_STEP_NS). */
const STEP_NS = 1_000_000n;
/** How long the last reports may take at an orderly end. */
const FLUSH_MS = 5000;
/** How long reports of before a backward step may take; then those that are not spooled are lost and counted. */
const RETIRE_MS = 600_000;
/** Steps that are remembered: those that a block not yet read may have seen. */
const MAX_STEPS = 64;

/**
 * Measures until `signal` is aborted, then stops marking, reads what is left and delivers it.
 *
 * @throws what ended it otherwise: the interface is gone, the kernel refused
 */
export async function runAgent(deps: AgentDependencies, signal: AbortSignal): Promise<void> {
  const session = new Session(deps);
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    stop.abort();
  };
  const tick = setInterval(() => attempt(() => session.keepAlive(), fail), LEASE_RENEWAL_MS);
  const steps = watchSteps(deps, session, ended).catch(fail);
  try {
    while (!ended.aborted) {
      await sleep(untilNextRead(deps.clock.nowNs(), deps.measurement.intervalNs), ended);
      attempt(() => session.read(), fail);
    }
  } finally {
    stop.abort();
    clearInterval(tick);
    await steps;
    await session.end();
  }
  if (failure !== undefined) throw failure;
}

async function watchSteps(deps: AgentDependencies, session: Session, signal: AbortSignal): Promise<void> {
  for await (const _ of deps.clock.changes(signal)) session.checkClock();
}

function attempt(action: () => void, fail: (error: unknown) => void): void {
  try {
    action();
  } catch (error) {
    fail(error);
  }
}

/** Waits, or less when aborted; never late by more than the timer's resolution. */
function sleep(ns: bigint, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(1, Number(ns / 1_000_000n)));
    signal.addEventListener("abort", done);
  });
}

/** One stretch of measuring: programs attached, one boot id. A clock that goes back begins another. */
class Session {
  readonly #deps: AgentDependencies;
  readonly #meter: Meter;
  #publisher: Publisher;
  #attachedNs: bigint;
  #steps: ClockStep[] = [];
  #missed = 0n;
  /** Somebody's program hid packets from ours. */
  #displaced = false;
  #interruptedUntil = -1n;
  readonly #unseen = new UnseenPackets();
  #leftOut = 0n;
  #offsetNs: bigint;
  #taiNs: bigint;
  /** Reports of earlier boots that are still under way. */
  readonly #earlier = new Set<Publisher>();

  constructor(deps: AgentDependencies) {
    this.#deps = deps;
    [this.#offsetNs, this.#taiNs] = [deps.clock.offsetNs(), deps.clock.offsetFromTaiNs()];
    this.#meter = deps.openMeter();
    this.#attachedNs = deps.clock.nowNs();
    this.#publisher = deps.openPublisher(this.#meter, () => this.#unseen.total);
    this.#announce("joined");
  }

  /** Once a second: the programs of kernels without TCX pass packets untouched when this stops. */
  keepAlive(): void {
    this.#lookAround();
    this.#meter.renewLease();
  }

  /** What may have changed around us: the interface first, since everything else asks about it. */
  #lookAround(): void {
    this.#deps.checkInterface();
    this.checkClock();
    this.#keepPlace();
  }

  #keepPlace(): void {
    if (!this.#meter.keepPlace()) return;
    if (!this.#displaced) {
      const hint = "blocks of this time are not COMPLETE; --order last accepts what it lets through";
      this.#deps.logger.warn("another program runs in front of this one and may hide packets", { hint });
    }
    this.#displaced = true;
  }

  /** Publishes every block that has come to rest. */
  read(): void {
    // First, so that no block goes out that a step or a stranger has touched and nobody has noticed.
    this.#lookAround();
    const readings = this.#meter.readFinished();
    this.#lookForUnseen(readings);
    this.#emit(readings, this.#deps.clock.nowNs());
  }

  /** Looks whether the clock was stepped, or told another offset from TAI. */
  checkClock(): void {
    const { clock } = this.#deps;
    const [offsetNs, taiNs] = [clock.offsetNs(), clock.offsetFromTaiNs()];
    const by = offsetNs - this.#offsetNs;
    if (by <= STEP_NS && by >= -STEP_NS && taiNs === this.#taiNs) return;
    const afterNs = clock.nowNs();
    [this.#offsetNs, this.#taiNs] = [offsetNs, taiNs];
    this.#stepped({ beforeNs: afterNs - by, afterNs });
  }

  /** Blocks that a step touched say so, and no block number is used twice under one boot. */
  #stepped(step: ClockStep): void {
    this.#deps.logger.warn("wall clock stepped", { by_ms: Number(step.afterNs - step.beforeNs) / 1e6 });
    this.#steps = [...this.#steps, step].slice(-MAX_STEPS);
    if (this.#meter.followClock() === "forward") return;
    this.#emit(this.#meter.readAll(), step.beforeNs);
    this.#retire(this.#publisher);
    this.#meter.restart();
    // What passed while nothing was open lies before the new beginning.
    this.#missed = this.#meter.missedPackets();
    this.#interruptedUntil = -1n;
    this.#attachedNs = this.#deps.clock.nowNs();
    this.#publisher = this.#deps.openPublisher(this.#meter, () => this.#unseen.total);
    this.#announce("joined");
  }

  /** Stops marking, then reads and delivers what is left. */
  async end(): Promise<void> {
    const untilNs = this.#deps.clock.nowNs();
    this.#meter.detach();
    this.#emit(this.#meter.readAll(), untilNs);
    this.#announce("left");
    this.#deps.onDetached();
    this.#meter.close();
    const publishers = [...this.#earlier, this.#publisher];
    await Promise.all(publishers.map((publisher) => publisher.flush({ deadlineMs: FLUSH_MS })));
    await Promise.all(publishers.map((publisher) => publisher.close()));
  }

  /** Lets an earlier boot's reports go out, then lets go of it. */
  #retire(publisher: Publisher): void {
    this.#earlier.add(publisher);
    void publisher
      .flush({ deadlineMs: RETIRE_MS })
      .then(() => publisher.close())
      .catch((error: unknown) => this.#deps.logger.warn("reports of before a step lost", { error: errorLine(error) }))
      .finally(() => this.#earlier.delete(publisher));
  }

  #emit(readings: readonly Reading[], untilNs: bigint): void {
    if (readings.length === 0) return;
    const interrupted = this.#wasInterrupted(readings);
    const topDestinations = this.#meter.topDestinations();
    const watch = { attachedNs: this.#attachedNs, untilNs, steps: this.#steps, interrupted, topDestinations };
    for (const reading of readings) {
      for (const block of blocksOf(this.#deps.measurement, reading, watch)) {
        for (const payload of lossPayloads(block)) this.#publisher.publish(payload);
        this.#deps.onBlock(block);
      }
    }
    const oldest = blockStart((readings.at(-1)?.blockNumber ?? 0n) - 2n, this.#deps.measurement.intervalNs);
    this.#steps = this.#steps.filter((step) => step.afterNs >= oldest || step.beforeNs >= oldest);
  }

  /** Packets went by uncounted lately: which block they belong to is not known, so none of these was watched whole. */
  #wasInterrupted(readings: readonly Reading[]): boolean {
    const missed = this.#meter.missedPackets();
    const now = missed !== this.#missed || this.#displaced;
    this.#missed = missed;
    this.#displaced = false;
    // What is open now may have been open then, too, and its neighbours are counted in as well.
    const newest = readings.at(-1)?.blockNumber ?? 0n;
    const open = this.#meter.openBlock;
    if (now) this.#interruptedUntil = (open > newest ? open : newest) + 1n;
    return (readings[0]?.blockNumber ?? 0n) <= this.#interruptedUntil;
  }

  #lookForUnseen(readings: readonly Reading[]): void {
    const leftOut = Object.values(this.#meter.reasons()).reduce((sum, count) => sum + count, 0n);
    const sawSome = leftOut !== this.#leftOut || readings.some(hasPackets) || this.#meter.hasUnread();
    this.#leftOut = leftOut;
    const unseen = this.#unseen.look(this.#meter.interfacePackets(), sawSome);
    if (unseen === 0n) return;
    this.#deps.logger.warn("the interface carried packets that this program did not see", { packets: String(unseen) });
  }

  #announce(state: "joined" | "left"): void {
    const { intervalNs, paths, rules, perFlow } = this.#deps.measurement;
    this.#publisher.publish(presencePayload(state, this.#deps.clock.nowNs(), intervalNs, paths, rules, perFlow));
  }
}

function hasPackets(reading: Reading): boolean {
  return reading.counted.some((count) => count.packets > 0n);
}
