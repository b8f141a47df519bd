import {
  type AgentIdentity,
  counterMetrics,
  Health,
  type HostPort,
  keepHealthFile,
  type Metric,
  type Publisher,
  publisherMetrics,
  startMetricsServer,
} from "@waymark/agent";
import { interfaceInfo } from "@waymark/bpf-runtime";

/** Cumulative counters by name. */
export type Counters = Readonly<Record<string, bigint>>;

/** What an agent shows of itself on `--metrics`: what it measured and left out, delivery, health. */
export class Telemetry {
  readonly health = new Health();
  readonly #identity: AgentIdentity;
  readonly #own: () => Counters;
  readonly #more: () => readonly Metric[];
  readonly #publishers: Publisher[] = [];
  #counters: () => Counters = () => ({});

  /**
   * @param own what the agent counts itself, beside the counters of its reports
   * @param more metrics of the service's own
   */
  constructor(identity: AgentIdentity, own: () => Counters = () => ({}), more: () => readonly Metric[] = () => []) {
    this.#identity = identity;
    this.#own = own;
    this.#more = more;
  }

  /** Follows what is measured and delivered from now on. */
  follow(publisher: Publisher, counters: () => Counters): void {
    this.#publishers.splice(0, this.#publishers.length, publisher);
    this.#counters = counters;
    this.health.setMeasuring(true);
  }

  /** An interface whose being down means that nothing is measured. */
  watch(device: string): void {
    this.health.addCheck(() => whyDown(device));
  }

  /** Measuring has ended; the counters are what they were. */
  end(): void {
    this.health.setMeasuring(false);
    const last = this.#counters();
    this.#counters = () => last;
  }

  /** All metrics now. */
  collect(): Metric[] {
    return [
      ...counterMetrics(this.#identity, { ...this.#own(), ...this.#counters() }),
      ...this.#publishers.flatMap((publisher) => publisherMetrics(publisher.stats())),
      ...this.#more(),
    ];
  }

  /** Serves `/metrics` and `/healthz`, and keeps the health file, if asked to. */
  async serve(listen: HostPort | undefined, healthFile?: string): Promise<AsyncDisposable> {
    const collect = () => this.collect();
    const server = listen && (await startMetricsServer({ listen, health: this.health, collect }));
    const file = healthFile === undefined ? undefined : keepHealthFile(healthFile, this.health);
    return {
      [Symbol.asyncDispose]: async () => {
        file?.[Symbol.dispose]();
        await server?.close();
      },
    };
  }
}

function whyDown(device: string): string | undefined {
  try {
    return interfaceInfo(device).up ? undefined : `interface ${device} is down`;
  } catch {
    return `there is no interface ${device}`;
  }
}
