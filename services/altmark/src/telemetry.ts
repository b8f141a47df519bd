import {
  type AgentIdentity,
  counterMetrics,
  Health,
  type HostPort,
  type Metric,
  type Publisher,
  publisherMetrics,
  startMetricsServer,
} from "@waymark/agent";
import { type Block, blockPackets } from "./block.ts";

/** What this agent shows of itself on `--metrics`: counted packets, left-out ones by reason, delivery, health. */
export class Telemetry {
  readonly health = new Health();
  readonly #identity: AgentIdentity;
  readonly #publishers: Publisher[] = [];
  #counters: () => Readonly<Record<string, bigint>> = () => ({});
  #blocks = 0n;
  #packets = 0n;

  constructor(identity: AgentIdentity) {
    this.#identity = identity;
  }

  /** Follows what is measured and delivered from now on. */
  follow(publisher: Publisher, counters: () => Readonly<Record<string, bigint>>): void {
    this.#publishers.splice(0, this.#publishers.length, publisher);
    this.#counters = counters;
    this.health.setMeasuring(true);
  }

  /** Adds a finished block. */
  add(block: Block): void {
    this.#blocks++;
    this.#packets += blockPackets(block);
  }

  /** Measuring has ended; the counters are what they were. */
  end(): void {
    this.health.setMeasuring(false);
    const last = this.#counters();
    this.#counters = () => last;
  }

  /** All metrics now. */
  collect(): Metric[] {
    const counted = { blocks: this.#blocks, counted_packets: this.#packets };
    return [
      ...counterMetrics(this.#identity, { ...counted, ...this.#counters() }),
      ...this.#publishers.flatMap((publisher) => publisherMetrics(publisher.stats())),
    ];
  }

  /** Serves `/metrics` and `/healthz`, if asked to. */
  async serve(listen: HostPort | undefined): Promise<AsyncDisposable> {
    const collect = () => this.collect();
    const server = listen && (await startMetricsServer({ listen, health: this.health, collect }));
    return { [Symbol.asyncDispose]: async () => server?.close() };
  }
}
