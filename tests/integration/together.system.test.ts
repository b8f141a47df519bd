import { FlowGrouping } from "@waymark/proto/query";
import { RttMethod } from "@waymark/proto/report";
import {
  describePrivileged,
  ledgerRules,
  MeasuredPath,
  type PathHost,
  ping,
  RouterLedger,
  sendDatagrams,
  waitFor,
} from "@waymark/testkit";
import { node, Suite } from "./src/suite.ts";
import { expectCompleteBetween, expectTrue } from "./src/truth.ts";

const PORT = 5001;
const FROM_PORT = 40_000;
const COUNT = 14_000;
const STAMP_COUNT = 50;
const PINGS = 100;
const DEADLINE_MS = 60_000;
/** One in so many is lost on the way. */
const EVERY = 100;

/** Starts an agent as a user does; returns when it measures. */
async function start(path: MeasuredPath, host: PathHost, argv: readonly string[]) {
  const report = ["--report", `grpc://${path.collector.ipv4}:12345`];
  const agent = host.ns.spawn(node([...argv, ...report, "--agent-id", host === path.source ? "source" : "sink"]));
  await agent
    .waitForLine(/measuring|reflecting|sending/, { deadlineMs: DEADLINE_MS, stream: "stderr" })
    .catch((error) => {
      throw new Error(`${argv.join(" ")}: ${error.message}\n${[...agent.stderr, ...agent.stdout].join("\n")}`);
    });
  return agent;
}

describePrivileged("all five methods on the same interfaces at once", { tools: ["nft", "ping"] }, () => {
  test("each is as exact as alone, and none hides packets from another", async () => {
    const path = await MeasuredPath.create();
    const { source, sink } = path;
    // Ahead of everybody else, so that the others have to go past it: it takes packets away.
    const reflector = path.sink.ns.spawn(node(["stamp", "reflector", sink.device]));
    await reflector.waitForLine(/reflecting|measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    await using suite = await Suite.startOn(path);
    const agents = [
      await start(path, source, ["tcflows", "-iface", source.device, "--active-timeout", "1"]),
      await start(path, sink, ["tcflows", "-iface", sink.device, "--active-timeout", "1"]),
      await start(path, source, ["pping", "-i", source.device, "-TC", "-r", "0"]),
      await start(path, sink, ["flowmon", "-i", sink.device]),
    ];
    await path.router.apply(ledgerRules([{ name: "drop", select: { every: EVERY }, match: {}, action: "drop" }]));
    await using ledger = RouterLedger.start(path.router, suite.intervalNs);

    const stamp = source.ns.exec(
      node([
        ...[
          "stamp",
          "sender",
          source.device,
          sink.ipv4,
          "-c",
          String(STAMP_COUNT),
          "-i",
          "0.05",
          "--agent-id",
          "source",
        ],
        ...["--format", "jsonl", "--report", `grpc://${path.collector.ipv4}:12345`],
      ]),
    );
    const [sent, echo] = await Promise.all([
      sendDatagrams(source.ns, { to: sink.ipv4, port: PORT, count: COUNT, rate: 2000, fromPort: FROM_PORT }),
      ping(source.ns, sink.ipv4, { count: PINGS, intervalMs: 20 }),
    ]);
    await stamp;

    await suite.settled([...ledger.blocks.keys()].at(-1) ?? 0n, DEADLINE_MS);
    const blocks = await suite.blocks();
    expectCompleteBetween(blocks);
    const judged = expectTrue(blocks, ledger);
    expect(judged.blocks).toBeGreaterThanOrEqual(3);
    expect(judged.dropped).toBeGreaterThan(0n);

    for (const agent of agents) {
      agent.signal("SIGTERM");
      expect(await agent.exited).toMatchObject({ code: 0 });
    }
    const { client } = suite.api;
    const flow = { port: PORT, protocol: "udp", grouping: FlowGrouping.FLOWS };
    const flowsAt = async (agent: string) => (await client.listFlows({ ...flow, agent })).flows;
    const left = await waitFor(
      async () => {
        const flows = await flowsAt("source");
        return flows.reduce((sum, { packets }) => sum + packets, 0n) === BigInt(sent.sent) ? flows : undefined;
      },
      { deadlineMs: DEADLINE_MS, what: "all flow records of the source" },
    );
    expect(left.map(({ packets }) => packets)).toEqual([BigInt(sent.sent)]);
    const [arrived] = await flowsAt("sink");
    const [throughput] = (await client.listThroughput({ ...flow, agent: "sink" })).throughputs;
    expect(throughput?.packets).toBe(arrived?.packets);
    expect(throughput?.l3Bytes).toBe(arrived?.l3Bytes);

    const { rtts } = await client.listRtt({ agent: "source", method: RttMethod.ICMP_ECHO });
    expect(rtts.reduce((sum, { rtt }) => sum + (rtt?.count ?? 0n), 0n)).toBe(BigInt(echo.received));

    const { roundTrips } = await client.listRoundTrips({ agent: "source" });
    const [session] = roundTrips;
    expect(session?.packets?.sent).toBe(BigInt(STAMP_COUNT));
    expect((session?.packets?.received ?? 0n) + (session?.packets?.lost ?? 0n)).toBe(BigInt(STAMP_COUNT));
    // Everything of ours that left was counted by tcflows as well, also what the packet programs took away again.
    const tests = (await client.listFlows({ agent: "sink", port: 862, grouping: FlowGrouping.FLOWS })).flows;
    const answered = tests.filter(({ flow: key }) => key?.destinationPort === 862);
    expect(answered.reduce((sum, { packets }) => sum + packets, 0n)).toBeGreaterThanOrEqual(
      session?.packets?.received ?? 0n,
    );
    for (const agent of [...agents, suite.source, suite.sink]) {
      expect(agent?.stderr.filter((line) => line.includes("in front of"))).toEqual([]);
    }
  }, 180_000);
});
