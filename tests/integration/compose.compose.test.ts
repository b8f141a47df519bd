import type { LossBlock } from "@waymark/proto/query";
import { describeWithDocker, exec, ledgerRules, RouterLedger, waitFor } from "@waymark/testkit";
import { ComposeProject } from "./src/compose-project.ts";
import { HostPath } from "./src/host-path.ts";
import { ROOT } from "./src/images.ts";
import { openBlock } from "./src/kills.ts";
import { isComplete, LossApi } from "./src/loss-api.ts";
import { expectTrue } from "./src/truth.ts";

const MAIN_JOB = ["altmark-source", "altmark-sink", "collector"];
/** Agents of the other methods; each is a service by its own name, STAMP's at its reflecting end. */
const OTHERS = ["tcflows", "pping", "flowmon", "stamp-reflector"];
const AGENTS = ["altmark", "tcflows", "pping", "flowmon", "stamp"];
const AGENT_BYTES = 250e6;
const RATE = 1000;
const SECONDS = 8;
const DEADLINE_MS = 90_000;
const URL = "http://localhost:8080";
const INTERVAL_NS = 1_000_000_000n;

/** What we read of a service in `docker compose config`. */
interface ComposeService {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const say = (text: string) => process.stderr.write(`compose: ${text}\n`);
const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;

describeWithDocker("docker compose, from a fresh clone", { tools: ["git", "ip", "nft"] }, () => {
  let path: HostPath;
  let project: ComposeProject;
  const api = new LossApi(URL);

  beforeAll(async () => {
    path = await HostPath.create();
    await path.router.apply(ledgerRules([{ name: "drop", select: { every: 50 }, action: "drop" }]));
    project = await ComposeProject.clone({
      WAYMARK_SOURCE_INTERFACE: path.sourceDevice,
      WAYMARK_SINK_INTERFACE: path.sinkDevice,
      WAYMARK_TCFLOWS_INTERFACE: path.sourceDevice,
      WAYMARK_PPING_INTERFACE: path.sourceDevice,
      WAYMARK_FLOWMON_INTERFACE: path.sinkDevice,
      WAYMARK_STAMP_INTERFACE: path.sinkDevice,
      WAYMARK_INTERVAL: "1",
      TZ: "UTC",
    });
  }, DEADLINE_MS);

  afterAll(async () => {
    await project?.[Symbol.asyncDispose]();
    await path?.[Symbol.asyncDispose]();
  }, DEADLINE_MS);

  test("builds without a cache; an agent's image is small and holds neither compilers nor the store engine", async () => {
    const begin = performance.now();
    await project.compose(["--profile", "*", "build", "--no-cache", "--quiet"], 900_000);
    say(`all images built in ${seconds(begin)}`);
    for (const image of [...AGENTS, "collector", "nats", "demo"]) {
      const { stdout } = await exec(["docker", "image", "inspect", "--format", "{{.Size}}", `waymark/${image}`]);
      say(`waymark/${image}: ${(Number(stdout) / 1e6).toFixed(0)} MB`);
      if (AGENTS.includes(image)) expect(Number(stdout)).toBeLessThan(AGENT_BYTES);
    }
    const look = "command -v g++ gcc cc clang llvm-strip npm; ls -d /app/node_modules/*chdb* /app/libs/testkit; true";
    for (const agent of AGENTS) {
      const run = ["docker", "run", "--rm", "--network", "none", `waymark/${agent}`];
      expect([agent, (await exec([...run, "sh", "-c", look])).stdout]).toEqual([agent, ""]);
      expect((await exec([...run, agent, "--version"])).stdout).toContain(agent);
    }
  }, 1_000_000);

  test("every setting that compose hands to a service is one that the service knows", async () => {
    const { stdout } = await project.compose(["--profile", "*", "config", "--format", "json"]);
    const { services } = JSON.parse(stdout) as { readonly services: Readonly<Record<string, ComposeService>> };
    const ours = Object.entries(services).filter(([name]) => name !== "nats" && !name.startsWith("demo-"));
    expect(ours.map(([name]) => name).toSorted()).toEqual([...MAIN_JOB, ...OTHERS, "stamp-sender"].toSorted());
    for (const [name, { image, command, environment }] of ours) {
      const words = command.filter((word) => !/^\d+$/.test(word));
      const help = await exec(["docker", "run", "--rm", "--network", "none", image, ...words, "--help"]);
      const known = new Set(help.stdout.match(/WAYMARK_\w+/g));
      const given = Object.keys(environment).filter((variable) => variable.startsWith("WAYMARK_"));
      expect([name, given.filter((variable) => !known.has(variable))]).toEqual([name, []]);
      expect(given.length).toBeGreaterThan(0);
    }
  }, 120_000);

  test("the one command: loss lines, exact blocks, answers to the host, nothing left after down", async () => {
    const begin = performance.now();
    const up = project.attach(["up", ...MAIN_JOB]);
    await up.waitForLine(/"msg":"measuring"/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    say(`first agent measures after ${seconds(begin)}`);
    await waitFor(() => path.attached() === 2, { deadlineMs: DEADLINE_MS, what: "both agents attached" });
    await waitFor(() => api.client.listAgents({}), { deadlineMs: DEADLINE_MS, what: "query API" });
    say(`all answer after ${seconds(begin)}`);
    expect((await project.running()).toSorted()).toEqual([...MAIN_JOB, "nats"].toSorted());

    const blocks = await lose();
    const printed = () => linesOf(up.stdout, /collector-1 +\| \[(.*)\] loss=(\d+)$/);
    const expected = blocks.filter(isComplete).map((block) => [timeOf(block), String(block.lostPackets)] as const);
    await waitFor(() => expected.every(([time]) => printed().has(time)), {
      deadlineMs: DEADLINE_MS,
      what: "all lines",
    });
    expect([...printed()]).toEqual(expect.arrayContaining(expected));
    await allHealthy([...MAIN_JOB, "nats"]);
    await answersBuf(blocks);

    await project.compose(["down"]);
    expect(path.attached()).toBe(0);
    expect(await project.running()).toEqual([]);
  }, 300_000);

  test("with three capabilities, killed: nothing stays attached, and what was stored is there at the next start", async () => {
    const override = ["-f", "compose.yaml", "-f", "compose/capabilities.yaml"];
    await project.compose([...override, "up", "--detach", ...MAIN_JOB]);
    await waitFor(() => path.attached() === 2, { deadlineMs: DEADLINE_MS, what: "both agents attached" });
    await waitFor(() => api.client.listAgents({}), { deadlineMs: DEADLINE_MS, what: "query API" });
    expect((await api.blocks()).filter(isComplete).length).toBeGreaterThan(0);
    await lose();
    await project.compose([...override, "up", "--detach", ...OTHERS]);
    await allHealthy(OTHERS);
    expect(path.attached()).toBeGreaterThan(MAIN_JOB.length);
    await project.compose(["kill", "--signal", "SIGKILL", "altmark-source", "altmark-sink", ...OTHERS]);
    await waitFor(() => path.attached() === 0, { deadlineMs: DEADLINE_MS, what: "nothing attached" });
    await project.compose(["down", "--volumes"]);
    expect(await project.remains()).toEqual([]);
  }, 300_000);

  test("on three hosts: an agent by itself, and the collector with its broker", async () => {
    await project.compose(["down", "--volumes"]);
    await project.compose(["up", "--no-start", "altmark-sink"]);
    expect(await project.created()).toEqual(["altmark-sink"]);
    await project.compose(["down", "--volumes"]);
    await project.compose(["up", "--no-start", "collector"]);
    expect(await project.created()).toEqual(["collector", "nats"]);
    await project.compose(["down", "--volumes"]);
  }, 120_000);

  test("the demo: loss lines within half a minute, as its router counts; the host's agents stay away", async () => {
    await project.compose(["down", "--volumes"]);
    const begin = performance.now();
    const up = project.attach(["--profile", "demo", "up"]);
    await up.waitForLine(/collector-1 +\| \[.*\] loss=\d+$/, { deadlineMs: 30_000 });
    say(`the demo's first loss line after ${seconds(begin)}`);
    const pairs = await waitFor(
      () => {
        const dropped = linesOf(up.stdout, /demo-router-1 +\| \[(.*)\] the router dropped (\d+)$/);
        const lost = linesOf(up.stdout, /collector-1 +\| \[(.*)\] loss=(\d+)$/);
        const both = [...lost].filter(([time]) => dropped.has(time));
        return both.length >= 3 && both.map(([time, count]) => ({ time, count, dropped: dropped.get(time) }));
      },
      { deadlineMs: DEADLINE_MS, what: "three blocks that router and collector tell of" },
    );
    expect(pairs.filter(({ count, dropped }) => count !== dropped || count === "0")).toEqual([]);
    expect(path.attached()).toBe(0);
    expect(await project.running()).not.toEqual(expect.arrayContaining([expect.stringMatching(/^altmark/)]));
    await project.compose(["--profile", "demo", "down", "--volumes"]);
    expect(await project.remains()).toEqual([]);
  }, 300_000);

  /** Sends packets of which the router loses some, and compares. @returns the blocks of this time */
  async function lose(): Promise<LossBlock[]> {
    await using ledger = RouterLedger.start(path.router, INTERVAL_NS);
    const first = openBlock({ intervalNs: INTERVAL_NS });
    await path.send(RATE, RATE * SECONDS);
    const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
    await api.settled(last, DEADLINE_MS);
    const blocks = (await api.blocks()).filter((block) => block.blockNumber >= first);
    const judged = expectTrue(blocks, ledger);
    expect(judged.blocks).toBeGreaterThanOrEqual(3);
    expect(judged.dropped).toBeGreaterThan(0n);
    return blocks;
  }

  /** Waits until each of these has been found healthy. */
  async function allHealthy(services: readonly string[]): Promise<void> {
    const found = new Set<string>();
    const look = async () => {
      for (const [service, word] of Object.entries(await project.health())) if (word === "healthy") found.add(service);
      return services.every((service) => found.has(service));
    };
    await waitFor(look, { deadlineMs: DEADLINE_MS, what: `${services} healthy` }).catch(async (error: Error) => {
      const missing = services.filter((service) => !found.has(service));
      const { stdout, stderr } = await project.compose(["logs", "--tail", "5", ...missing]);
      throw new Error(`${error.message}\n${stdout}${stderr}`);
    });
  }
});

/** `buf curl` as the README has it: without a schema, from the host. */
async function answersBuf(blocks: readonly LossBlock[]): Promise<void> {
  const curl = ["npx", "--no", "buf", "curl", "--http2-prior-knowledge", "--protocol", "grpc"];
  const methods = await exec([...curl, "--list-methods", URL], { cwd: ROOT });
  expect(methods.stdout.split("\n")).toEqual(
    expect.arrayContaining(["waymark.query.v1.QueryService/ListLoss", "waymark.query.v1.QueryService/WatchLoss"]),
  );
  const answer = await exec([...curl, `${URL}/waymark.query.v1.QueryService/ListLoss`, "-d", "{}"], { cwd: ROOT });
  const answered = JSON.parse(answer.stdout) as { readonly blocks: readonly Record<string, string>[] };
  const exact = blocks.filter((block) => isComplete(block) && block.sentPackets > 0n);
  for (const block of exact) {
    const same = answered.blocks.find(({ blockNumber }) => blockNumber === String(block.blockNumber));
    expect(same).toMatchObject({ verdict: "LOSS_VERDICT_COMPLETE", lostPackets: String(block.lostPackets) });
  }
  expect(exact.length).toBeGreaterThan(0);
}

/** The time that a printed line of this block begins with. */
function timeOf(block: LossBlock): string {
  const start = new Date(Number((block.blockNumber * INTERVAL_NS) / 1_000_000n));
  return start.toISOString().slice(0, 19).replace("T", " ");
}

/** Time → number of the lines that match. */
function linesOf(lines: readonly string[], pattern: RegExp): Map<string, string> {
  return new Map(
    lines.flatMap((line) => {
      const [, time, count] = pattern.exec(line) ?? [];
      return time === undefined || count === undefined ? [] : [[time, count] as const];
    }),
  );
}
