import { MeasuredPath, type PathHost, waitFor } from "@waymark/testkit";
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from "testcontainers";
import type { Killable, Victim } from "./kills.ts";
import { LossApi } from "./loss-api.ts";

// Its helper would be another public image, and could not be reached from a network namespace of the tests' own.
process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";

const READY_MS = 60_000;
const NATS_URL = "nats://10.78.0.1:4222";
/** The same image for a host that only has a network: nothing more is built or fetched. */
const HOST_IMAGE = "waymark/altmark";
const HOSTS = ["source", "sink", "collector"] as const;

type Host = (typeof HOSTS)[number];

/** How the agents' containers run. */
export interface ContainerOptions {
  /** All privileges, or the three capabilities that are documented instead. */
  readonly rights: "privileged" | "capabilities";
}

/**
 * Source, sink, broker and collector as containers on veth links, with a router in between: each host is a container that
 * does nothing, and what runs on it shares its network, as with `network_mode: host`.
 */
export class ContainerSuite implements AsyncDisposable, Killable {
  readonly path: MeasuredPath;
  readonly intervalNs = 1_000_000_000n;
  readonly api = new LossApi("http://10.79.0.1:8080");
  readonly #options: ContainerOptions;
  readonly #hosts: Readonly<Record<Host, StartedTestContainer>>;
  readonly #running = new Map<Victim, StartedTestContainer>();
  #rest: AsyncDisposableStack | undefined;

  private constructor(path: MeasuredPath, hosts: Record<Host, StartedTestContainer>, options: ContainerOptions) {
    this.path = path;
    this.#hosts = hosts;
    this.#options = options;
  }

  /** Starts everything; broker and collector answer, and both agents measure. The images are there. */
  static async start(options: ContainerOptions): Promise<ContainerSuite> {
    await using starting = new AsyncDisposableStack();
    const containers = await Promise.all(HOSTS.map(startHost));
    for (const container of containers) starting.defer(() => remove(container));
    const [source, sink, collector] = containers as [StartedTestContainer, StartedTestContainer, StartedTestContainer];
    const hosts = { source, sink, collector };
    const pids = await Promise.all(HOSTS.map(async (name) => [name, await pidOf(hosts[name])] as const));
    const path = starting.use(await MeasuredPath.create({ processes: Object.fromEntries(pids) }));
    await path.lab.link(
      { ns: path.lab.here, device: `q${process.pid}`, addresses: ["10.79.0.2/24"] },
      { ns: path.collector.ns, device: "query0", addresses: ["10.79.0.1/24"] },
    );
    const suite = new ContainerSuite(path, hosts, options);
    starting.defer(async () => void (await Promise.all([...suite.#running.values()].map(remove))));
    await suite.#start("nats");
    await suite.#start("collector");
    await Promise.all([suite.#start("sink"), suite.#start("source")]);
    suite.#rest = starting.move();
    return suite;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest?.disposeAsync();
  }

  /** The container of a part. @throws when it was not started */
  container(part: Victim): StartedTestContainer {
    const container = this.#running.get(part);
    if (container === undefined) throw new Error(`${part} does not run`);
    return container;
  }

  async kill(victim: Victim): Promise<void> {
    const engine = await engineOf(this.container(victim));
    await engine.kill({ signal: "SIGKILL" });
    await waitFor(async () => !(await engine.inspect()).State.Running, {
      deadlineMs: READY_MS,
      what: `${victim} dead`,
    });
  }

  async revive(victim: Victim): Promise<void> {
    const engine = await engineOf(this.container(victim));
    const since = Date.now() / 1000;
    await engine.start();
    await this.#ready(victim, since);
  }

  /** What the engine's health check of a part says now: "starting", "healthy" or "unhealthy". */
  async health(part: Victim): Promise<string | undefined> {
    const { State } = await (await engineOf(this.container(part))).inspect();
    return State.Health?.Status;
  }

  /** All that a part has written since a time, in seconds since the epoch. */
  async log(part: Victim, since = 0): Promise<string> {
    const engine = await engineOf(this.container(part));
    return (await engine.logs({ stdout: true, stderr: true, since })).toString("utf8");
  }

  async #start(part: Victim): Promise<void> {
    this.#running.set(part, await this.#definition(part).start());
    await this.#ready(part, 0);
  }

  #definition(part: Victim): GenericContainer {
    if (part === "nats") return on(this.#hosts.collector, new GenericContainer("waymark/nats"));
    if (part === "collector") {
      return on(this.#hosts.collector, new GenericContainer("waymark/collector"))
        .withCommand(["collector", "12345", "--nats", NATS_URL, "--listen", "10.79.0.1:8080"])
        .withEnvironment({ WAYMARK_STORE: "/var/lib/waymark" });
    }
    const host: PathHost = this.path[part];
    const report = ["--report", NATS_URL, "--spool", "/var/lib/waymark", "--agent-id", part];
    const agent = on(this.#hosts[part], new GenericContainer("waymark/altmark"))
      .withCommand(["altmark", part, host.device, "-i", "1", ...report])
      .withHealthCheck({
        test: ["CMD", "waymark-healthcheck"],
        interval: 500,
        timeout: 3000,
        retries: 1,
        startPeriod: 0,
      });
    return this.#options.rights === "privileged"
      ? agent.withPrivilegedMode()
      : agent.withDroppedCapabilities("ALL").withAddedCapabilities("BPF", "NET_ADMIN", "PERFMON");
  }

  async #ready(part: Victim, since: number): Promise<void> {
    const options = { deadlineMs: READY_MS, what: `${part} ready` };
    const word = part === "nats" ? /Server is ready/ : /"msg":"measuring"/;
    const answers = async (): Promise<boolean> => {
      if (part !== "collector") return word.test(await this.log(part, since));
      return (await this.api.client.listAgents({})) !== undefined;
    };
    await waitFor(answers, options).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await this.log(part)}`);
    });
  }
}

function startHost(): Promise<StartedTestContainer> {
  return new GenericContainer(HOST_IMAGE)
    .withCommand(["sleep", "infinity"])
    .withNetworkMode("none")
    .withHealthCheck({ test: ["CMD", "true"] })
    .withWaitStrategy(Wait.forListeningPorts())
    .start();
}

/** A container in the network of another one. */
function on(host: StartedTestContainer, container: GenericContainer): GenericContainer {
  return container.withNetworkMode(`container:${host.getId()}`).withWaitStrategy(Wait.forListeningPorts());
}

async function engineOf(container: StartedTestContainer) {
  const { container: containers } = await getContainerRuntimeClient();
  return containers.getById(container.getId());
}

async function pidOf(container: StartedTestContainer): Promise<number> {
  return (await (await engineOf(container)).inspect()).State.Pid;
}

/** Removes a container at once: nothing in it is worth a farewell. */
async function remove(container: StartedTestContainer): Promise<void> {
  await (await engineOf(container)).remove({ force: true, v: true });
}
