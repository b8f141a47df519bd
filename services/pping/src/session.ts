import type { Logger, Publisher } from "@waymark/agent";
import { UnseenPackets, type WallClock } from "@waymark/probe";
import type { Measurement } from "./config.ts";
import type { EventFormat } from "./event-format.ts";
import { NewsReader } from "./news-reader.ts";
import type { Observer } from "./observer.ts";
import type { Output } from "./output.ts";
import { Recorder } from "./recorder.ts";
import { isEnough, type Shortage, shortageSince, trafficSince } from "./traffic.ts";

/** What a session needs from outside. */
export interface SessionDependencies {
  readonly measurement: Measurement;
  readonly observer: Observer;
  readonly clock: WallClock;
  readonly logger: Logger;
  readonly format: EventFormat;
  readonly output: Output;
  readonly publisher: Publisher;
  /** Whether anybody is reported to. */
  readonly isReporting: boolean;
  /** Throws when the interface is gone. */
  readonly checkInterface: () => void;
}

/** How often the surroundings are looked at and reports are handed on. */
const LOOK_MS = 1000;
const NS_PER_MS = 1_000_000n;
/** More than the ring holds. */
const RING_RECORDS = 131_072;

/** Measures on one interface from attaching to detaching. */
export class Session {
  readonly #deps: SessionDependencies;
  readonly #recorder: Recorder;
  readonly #reader: NewsReader;
  readonly #unseen = new UnseenPackets();
  #offsetNs: bigint;
  #intervalFromNs: bigint;
  #shortage: Shortage;
  #traffic;
  #seen = 0n;
  #displaced = false;

  constructor(deps: SessionDependencies) {
    const { measurement, observer, format, output, publisher, isReporting, clock } = deps;
    this.#deps = deps;
    this.#recorder = new Recorder({ measurement, format, output, publisher: isReporting ? publisher : undefined });
    this.#reader = new NewsReader(measurement.flows);
    this.#offsetNs = clock.offsetNs();
    this.#intervalFromNs = clock.nowNs();
    this.#shortage = observer.shortage();
    this.#traffic = observer.traffic();
    this.announce();
  }

  /** Cumulative counters for reports and metrics. */
  counters(): Record<string, bigint> {
    const { observer, output } = this.#deps;
    return {
      ...observer.counters(),
      ...this.#recorder.sampleCounts,
      output_dropped: BigInt(output.dropped),
      unseen: this.#unseen.total,
    };
  }

  /** What a fresh output begins with. */
  announce(): void {
    const { measurement, format, output, clock } = this.#deps;
    const { aggregation } = measurement;
    if (aggregation === undefined) return;
    output.write([format.aggregateBegin(clock.nowNs(), aggregation)].filter((record) => record !== undefined));
  }

  /** Measures until `signal` is aborted; then reads what is left. @throws what ended it otherwise */
  async run(signal: AbortSignal): Promise<void> {
    const { measurement, observer } = this.#deps;
    const stop = new AbortController();
    const ended = AbortSignal.any([signal, stop.signal]);
    let failure: unknown;
    const attempt = (action: () => void) => () => {
      try {
        action();
      } catch (error) {
        failure ??= error;
        stop.abort();
      }
    };
    const timers = [
      setInterval(
        attempt(() => this.#look()),
        LOOK_MS,
      ),
      setInterval(
        attempt(() => this.#endInterval()),
        milliseconds(measurement.intervalNs),
      ),
    ];
    if (measurement.cleanupNs > 0n) {
      timers.push(
        setInterval(
          attempt(() => this.#sweep()),
          milliseconds(measurement.cleanupNs),
        ),
      );
    }
    const finish = () => {
      for (const timer of timers) clearInterval(timer);
      attempt(() => this.#finish())();
    };
    if (ended.aborted) finish();
    else ended.addEventListener("abort", finish, { once: true });
    for await (const batch of observer.ring.batches()) {
      attempt(() => this.#recorder.add(this.#reader.read(batch, this.#offsetNs)))();
      // Timers and connections have their turn, however much there is to read.
      await new Promise(setImmediate);
    }
    if (failure !== undefined) throw failure;
  }

  /** Of many flows that are over at once, so many at a time that the ring can tell them. */
  #sweep(): void {
    do this.#read();
    while (this.#deps.observer.sweep());
  }

  /** Reads what the ring holds, and what comes meanwhile, but no more than it can hold. */
  #read(): void {
    const { ring } = this.#deps.observer;
    for (let records = 0; records < RING_RECORDS; ) {
      const batch = ring.read();
      if (batch === undefined) return;
      records += batch.count;
      this.#recorder.add(this.#reader.read(batch, this.#offsetNs));
    }
  }

  #look(): void {
    const { clock, observer, logger, checkInterface } = this.#deps;
    // First, since everything else asks the interface.
    checkInterface();
    this.#offsetNs = clock.offsetNs();
    if (observer.keepPlace() && !this.#displaced) {
      this.#displaced = true;
      logger.warn("another program runs in front of this one and may hide packets", {
        hint: "--order last accepts what it lets through",
      });
    }
    const seen = observer.seenPackets();
    const unseen = this.#unseen.look(observer.interfacePackets(), seen !== this.#seen);
    this.#seen = seen;
    if (unseen > 0n) {
      logger.warn("the interface carried packets that this program did not see", { packets: String(unseen) });
    }
    this.#recorder.flush();
  }

  #endInterval(): void {
    const { measurement, observer, clock, format, output, logger } = this.#deps;
    const [fromNs, toNs] = [this.#intervalFromNs, clock.nowNs()];
    this.#intervalFromNs = toNs;
    const total = observer.shortage();
    const shortage = shortageSince(total, this.#shortage);
    this.#shortage = total;
    if (measurement.aggregation) {
      this.#recorder.aggregate(fromNs, toNs, observer.takePrefixes());
      const traffic = observer.traffic();
      const record = format.traffic(toNs, trafficSince(traffic, this.#traffic), shortage);
      this.#traffic = traffic;
      if (record !== undefined) output.write([record]);
    } else {
      this.#recorder.summarise(fromNs, toNs, (flow) => observer.flowCounts(flow));
      if (!isEnough(shortage)) output.write([format.shortage(toNs, shortage)]);
    }
    if (!isEnough(shortage)) logger.warn("not everything was measured: a table or the ring was full", texts(shortage));
    this.#recorder.flush();
  }

  /** How much of the traffic could be measured. */
  #tellShare(): void {
    const { observer, logger } = this.#deps;
    const [packets, { tracked = 0n, samples = 0n }] = [observer.seenPackets(), observer.counters()];
    logger.info("measured", {
      packets: String(packets),
      tracked: String(tracked),
      tracked_percent: packets > 0n ? Number((tracked * 10_000n) / packets) / 100 : 0,
      samples: String(samples),
    });
  }

  /** The programs go first, so that what is read then is all. */
  #finish(): void {
    const { observer } = this.#deps;
    try {
      observer.detach();
      this.#read();
      this.#endInterval();
      this.#tellShare();
    } finally {
      observer.ring.close();
    }
  }
}

function milliseconds(ns: bigint): number {
  return Math.max(1, Math.min(2 ** 31 - 1, Number(ns / NS_PER_MS)));
}

function texts(shortage: Shortage): Record<string, string> {
  return {
    packets_without_flow: String(shortage.flows),
    identifiers_not_stored: String(shortage.stamps),
    packets_without_prefix: String(shortage.prefixes),
    events_lost: String(shortage.events),
  };
}
