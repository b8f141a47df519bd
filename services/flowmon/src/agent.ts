import type { Logger } from "@waymark/agent";
import { checkInterface, UnseenPackets, type WallClock } from "@waymark/probe";
import { type Interval, IntervalSum } from "./interval.ts";
import { boundary, type Meter } from "./meter.ts";
import { EPOCH_MASK } from "./reading.ts";
import { type IntervalEnd, type Intervals, nextEnd } from "./schedule.ts";

/** What the agent needs from outside. */
export interface AgentDependencies {
  /** At least one. */
  readonly meters: readonly Meter[];
  readonly clock: WallClock;
  readonly logger: Logger;
  readonly intervals: Intervals;
  /** Flows without a packet for so long make room. */
  readonly idleNs: bigint;
  /** Called with every interval, as it ends. */
  readonly onInterval: (interval: Interval) => void;
  /** Called with every interval of the jitter, where that has one of its own. */
  readonly onJitter: (interval: Interval) => void;
}

const LOOK_AROUND_MS = 1000;
/** Room is made so often, and where the table is full. */
const REAP_NS = 5_000_000_000n;
/** Where the table is full, flows that have been idle for so long make room at once. */
const IDLE_WHEN_FULL_NS = 3_000_000_000n;

/** Opens intervals in the kernel, reads each when it is at rest, and says what it holds. */
export class Agent {
  readonly #deps: AgentDependencies;
  readonly #throughput = new IntervalSum();
  readonly #jitter = new IntervalSum();
  readonly #unseen: readonly UnseenPackets[];
  readonly #leftOut: bigint[];
  #sawSome: boolean[];
  #epoch = 1;
  #endsNs = 0n;
  #throughputFromNs = 0n;
  #jitterFromNs = 0n;
  #reapedNs = 0n;
  #displaced = false;
  /** The last interval had flows that found no room. */
  #full = false;

  constructor(deps: AgentDependencies) {
    this.#deps = deps;
    this.#unseen = deps.meters.map(() => new UnseenPackets());
    this.#leftOut = deps.meters.map(() => 0n);
    this.#sawSome = deps.meters.map(() => true);
  }

  /** Packets that the interfaces carried and no program saw. */
  get unseen(): bigint {
    return this.#unseen.reduce((sum, { total }) => sum + total, 0n);
  }

  /** Measures until `signal` is aborted, then tells what is left. @throws what ended it otherwise */
  async run(signal: AbortSignal, onAttached: () => void): Promise<void> {
    const { meters, clock } = this.#deps;
    const stop = new AbortController();
    const ended = AbortSignal.any([signal, stop.signal]);
    let failure: unknown;
    const look = () => {
      try {
        this.#lookAround();
      } catch (error) {
        failure ??= error;
        stop.abort();
      }
    };
    const timer = setInterval(look, LOOK_AROUND_MS);
    try {
      for (const meter of meters) meter.attach();
      this.#throughputFromNs = this.#jitterFromNs = clock.monotonicNs();
      let end = this.#open();
      onAttached();
      while (!ended.aborted) {
        await sleep(this.#endsNs - clock.monotonicNs(), ended);
        if (clock.monotonicNs() >= this.#endsNs) end = this.#close(end);
      }
    } finally {
      clearInterval(timer);
      this.#finish();
    }
    if (failure !== undefined) throw failure;
  }

  /** Says when the interval that is open ends. */
  #open(): IntervalEnd {
    const { meters, clock, intervals } = this.#deps;
    const end = nextEnd(clock.nowNs(), intervals);
    this.#endsNs = boundary(end.atNs - clock.offsetNs());
    for (const meter of meters) meter.turn(this.#epoch, this.#endsNs);
    return end;
  }

  /** Reads the interval that is over; what its end means for both kinds of figures. */
  #close(end: IntervalEnd): IntervalEnd {
    const endedNs = this.#endsNs;
    this.#read(this.#epoch);
    this.#epoch = next(this.#epoch);
    const following = this.#open();
    this.#tell(end, endedNs);
    this.#reap(endedNs);
    return following;
  }

  #read(epoch: number): void {
    const { meters } = this.#deps;
    meters[0]?.waitForPrograms();
    this.#sawSome = meters.map((meter, at) => {
      const reading = meter.read(epoch);
      this.#throughput.add(reading);
      if (this.#deps.intervals.jitterNs > 0n) this.#jitter.add(reading);
      const counted = reading.flows.length > 0 || reading.overflow.length > 0;
      return counted || this.#sawSome[at] === true;
    });
  }

  #tell(end: Pick<IntervalEnd, "throughput" | "jitter">, untilNs: bigint): void {
    const { clock, intervals, onInterval, onJitter } = this.#deps;
    const offset = clock.offsetNs();
    if (end.jitter && intervals.jitterNs > 0n) {
      onJitter(this.#jitter.take(this.#jitterFromNs + offset, untilNs + offset));
      this.#jitterFromNs = untilNs;
    }
    if (!end.throughput) return;
    const interval = this.#throughput.take(this.#throughputFromNs + offset, untilNs + offset);
    this.#throughputFromNs = untilNs;
    this.#full = interval.overflow.length > 0;
    onInterval(interval);
  }

  #reap(readUntilNs: bigint): void {
    if (!this.#full && readUntilNs - this.#reapedNs < REAP_NS) return;
    this.#reapedNs = readUntilNs;
    const idleNs = this.#full ? IDLE_WHEN_FULL_NS : this.#deps.idleNs;
    for (const meter of this.#deps.meters) meter.reap(readUntilNs - idleNs);
  }

  /** Takes the programs off, then tells what they counted last. */
  #finish(): void {
    const { meters, clock } = this.#deps;
    for (const meter of meters) meter.detach();
    const untilNs = clock.monotonicNs();
    this.#read(this.#epoch);
    this.#read(next(this.#epoch));
    if (this.#throughputFromNs > 0n && untilNs > this.#throughputFromNs) {
      this.#tell({ throughput: true, jitter: untilNs > this.#jitterFromNs }, untilNs);
    }
  }

  /** What may have changed around us. */
  #lookAround(): void {
    const { meters, logger } = this.#deps;
    for (const [at, meter] of meters.entries()) {
      checkInterface(meter.device, meter.ifindex);
      meter.followAddresses();
      if (meter.keepPlace() && !this.#displaced) {
        this.#displaced = true;
        const hint = "--order last accepts what it lets through";
        logger.warn("another program runs in front of this one and may hide packets", { hint });
      }
      this.#lookForUnseen(at, meter);
    }
  }

  #lookForUnseen(at: number, meter: Meter): void {
    const leftOut = meter.leftOut();
    const sawSome = this.#sawSome[at] === true || leftOut !== this.#leftOut[at] || meter.hasOpenFigures(this.#epoch);
    this.#leftOut[at] = leftOut;
    this.#sawSome[at] = false;
    const unseen = this.#unseen[at]?.look(meter.interfacePackets(), sawSome) ?? 0n;
    if (unseen === 0n) return;
    this.#deps.logger.warn("the interface carried packets that this program did not see", {
      interface: meter.device,
      packets: String(unseen),
    });
  }
}

function next(epoch: number): number {
  return (epoch + 1) & EPOCH_MASK;
}

/** Waits, or less when aborted. */
function sleep(ns: bigint, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(1, Math.ceil(Number(ns) / 1e6)));
    signal.addEventListener("abort", done);
  });
}
