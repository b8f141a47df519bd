import { fileURLToPath } from "node:url";
import type { LossBlock } from "@waymark/proto/query";
import { type ManagedProcess, MeasuredPath, type PathOptions, waitFor } from "@waymark/testkit";
import type { Victim } from "./kills.ts";
import { LossApi } from "./loss-api.ts";

export { isComplete } from "./loss-api.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const SKEWED_AGENT = fileURLToPath(new URL("../fixtures/skewed-agent.ts", import.meta.url));
const READY_MS = 60_000;

/** What runs in a suite. */
export interface SuiteOptions {
  /** Of the blocks, in seconds (default 1). */
  readonly interval?: number;
  readonly path?: PathOptions;
  readonly sourceArguments?: readonly string[];
  readonly sinkArguments?: readonly string[];
  readonly sourceClock?: HostClock;
  readonly sinkClock?: HostClock;
  /** "nats": over a broker beside the collector, with spools at the agents; default: gRPC straight to the collector. */
  readonly transport?: "grpc" | "nats";
}

/** A network with a measured path and a collector. */
export interface SuitePath extends AsyncDisposable, Pick<MeasuredPath, "lab" | "collector"> {
  readonly source: MeasuredHost;
  readonly sink: MeasuredHost;
}

type MeasuredHost = Pick<MeasuredPath["source"], "ns" | "device">;

/** The clock of a host of its own; all hosts of a suite otherwise share this kernel's. */
export interface HostClock {
  /** Ahead of this kernel's clock. */
  readonly skewMs: number;
  readonly kernelBootId: string;
  /** What the host's kernel says of it (default: synchronised, 1 ms at most). */
  readonly synchronised?: boolean;
  readonly maxErrorMs?: number;
}

/** Source, router, sink and collector as a user starts them, each in a namespace of its own. */
export class Suite<Path extends SuitePath = MeasuredPath> implements AsyncDisposable {
  readonly path: Path;
  readonly intervalNs: bigint;
  /** Where the query API answers, from the test's own namespace and from the collector's. */
  readonly url = "http://10.79.0.1:8080";
  readonly api = new LossApi(this.url);
  readonly #options: SuiteOptions;
  readonly #storeDir: string;
  nats: ManagedProcess | undefined;
  source: ManagedProcess | undefined;
  sink: ManagedProcess | undefined;
  collector: ManagedProcess | undefined;

  private constructor(path: Path, options: SuiteOptions) {
    this.path = path;
    this.#options = options;
    this.#storeDir = `${path.lab.folder}/store`;
    this.intervalNs = BigInt(Math.round((options.interval ?? 1) * 1e9));
  }

  /** Builds the network and starts collector, sink and source, in this order; all three are ready. */
  static async start(options: SuiteOptions = {}): Promise<Suite> {
    return Suite.startOn(await MeasuredPath.create(options.path), options);
  }

  /** The same on a network that is there already, and goes with the suite. */
  static async startOn<Path extends SuitePath>(path: Path, options: SuiteOptions = {}): Promise<Suite<Path>> {
    const suite = new Suite(path, options);
    try {
      await path.lab.link(
        { ns: path.lab.here, device: `q${process.pid}`, addresses: ["10.79.0.2/24"] },
        { ns: path.collector.ns, device: "query0", addresses: ["10.79.0.1/24"] },
      );
      if (options.transport === "nats") await suite.startNats();
      await suite.startCollector();
      await suite.startSink();
      await suite.startSource();
      return suite;
    } catch (error) {
      await path[Symbol.asyncDispose]();
      throw error;
    }
  }

  async startCollector(): Promise<ManagedProcess> {
    const argv = ["collector", "12345", "--listen", "10.79.0.1:8080", "--store", this.#storeDir, "--print"];
    if (this.#options.transport === "nats") argv.push("--nats", this.#natsUrl);
    this.collector = this.path.collector.ns.spawn(node(argv));
    await waitFor(() => this.client.listAgents({}), { deadlineMs: READY_MS, what: "query API" }).catch((error) => {
      throw new Error(`${error.message}\n${this.collector?.stderr.join("\n")}`);
    });
    return this.collector;
  }

  /** Starts the broker; its streams outlive it. */
  async startNats(): Promise<ManagedProcess> {
    const argv = [
      "nats-server",
      "-a",
      this.path.collector.ipv4,
      "-p",
      "4222",
      "-js",
      "-sd",
      `${this.path.lab.folder}/nats`,
    ];
    this.nats = this.path.collector.ns.spawn(argv);
    await this.nats.waitForLine(/Server is ready/, { deadlineMs: READY_MS, stream: "stderr" });
    return this.nats;
  }

  get #natsUrl(): string {
    return `nats://${this.path.collector.ipv4}:4222`;
  }

  async startSource(): Promise<ManagedProcess> {
    this.source = this.#agent("source", this.path.source, this.#options.sourceArguments ?? []);
    await measuring(this.source);
    return this.source;
  }

  async startSink(): Promise<ManagedProcess> {
    this.sink = this.#agent("sink", this.path.sink, this.#options.sinkArguments ?? []);
    await measuring(this.sink);
    return this.sink;
  }

  #agent(role: "source" | "sink", host: MeasuredHost, extra: readonly string[]): ManagedProcess {
    const report =
      this.#options.transport === "nats"
        ? ["--report", this.#natsUrl, "--spool", `${this.path.lab.folder}/spool-${role}`]
        : [this.path.collector.ipv4, "12345"];
    const argv = [
      role,
      host.device,
      ...report,
      "-i",
      String(this.#options.interval ?? 1),
      "--agent-id",
      role,
      ...extra,
    ];
    const clock = role === "source" ? this.#options.sourceClock : this.#options.sinkClock;
    return host.ns.spawn(clock ? underClock(clock, argv) : node(["altmark", ...argv]));
  }

  /** The client of the query API. */
  get client(): LossApi["client"] {
    return this.api.client;
  }

  /** All blocks so far, oldest first. */
  blocks(): Promise<LossBlock[]> {
    return this.api.blocks();
  }

  /** Waits until everything up to block `last` has a verdict, whatever it is. */
  settled(last: bigint, deadlineMs: number): Promise<void> {
    return this.api.settled(last, deadlineMs, () => this.collector?.stderr.slice(-5) ?? []);
  }

  /** SIGKILL; returns when the process has ended. */
  async kill(victim: Victim): Promise<void> {
    this[victim]?.signal("SIGKILL");
    await this[victim]?.exited;
  }

  /** Starts what was killed. */
  async revive(victim: Victim): Promise<void> {
    if (victim === "nats") await this.startNats();
    else if (victim === "collector") await this.startCollector();
    else if (victim === "source") await this.startSource();
    else await this.startSink();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.path[Symbol.asyncDispose]();
  }
}

async function measuring(agent: ManagedProcess): Promise<void> {
  await agent.waitForLine(/measuring/, { deadlineMs: READY_MS, stream: "stderr" }).catch((error: Error) => {
    throw new Error(`${error.message}\n${[...agent.stderr, ...agent.stdout].join("\n")}`);
  });
}

/** The command that runs a service as it was built, under this Node. */
export function node([service, ...args]: readonly string[]): string[] {
  return [process.execPath, `${ROOT}services/${service}/bin/${service}.js`, ...args];
}

/** The command that runs altmark under a clock of its own; from source, since no user has such a clock. */
function underClock(clock: HostClock, argv: readonly string[]): string[] {
  const { skewMs, kernelBootId, synchronised = true, maxErrorMs = 1 } = clock;
  const words = [skewMs, kernelBootId, synchronised ? 1 : 0, maxErrorMs].map(String);
  return [process.execPath, "--conditions=source", "--import", "tsx", SKEWED_AGENT, ...words, ...argv];
}
