import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FlowGrouping, type FlowRecord, QueryService } from "@waymark/proto/query";
import { FlowEndReason } from "@waymark/proto/report";
import { describePrivileged, linkCollector, type Namespace, NetLab, sendDatagrams, waitFor } from "@waymark/testkit";
import { node } from "./src/suite.ts";

const DEADLINE_MS = 60_000;
const FAR = "10.88.0.2";
const PORT = 9;
const FLOWS = 50;
const ROUND = 1000;
const QUERY = "http://10.79.0.1:8080";

type Transport = "grpc" | "nats";

interface Rig extends AsyncDisposable {
  readonly lab: NetLab;
  readonly near: Namespace;
  readonly client: ReturnType<typeof client>;
  readonly agentWords: readonly string[];
  /** Starts what takes the reports. */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

const client = () => createClient(QueryService, createGrpcTransport({ baseUrl: QUERY }));

async function build(transport: Transport): Promise<Rig> {
  const lab = await NetLab.create();
  const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
  await lab.link(
    { ns: near, device: "eth0", addresses: ["10.88.0.1/24"] },
    { ns: far, device: "eth0", addresses: [`${FAR}/24`] },
  );
  const collector = await linkCollector(lab, [near]);
  await lab.link(
    { ns: lab.here, device: `q${process.pid}`, addresses: ["10.79.0.2/24"] },
    { ns: collector.ns, device: "query0", addresses: ["10.79.0.1/24"] },
  );
  const url = transport === "nats" ? `nats://${collector.ipv4}:4222` : `grpc://${collector.ipv4}:12345`;
  const words = ["collector", "12345", "--listen", "10.79.0.1:8080", "--store", `${lab.folder}/store`];
  if (transport === "nats") words.push("--nats", url);
  const broker = ["nats-server", "-a", collector.ipv4, "-p", "4222", "-js", "-sd", `${lab.folder}/nats`];
  const running: ReturnType<Namespace["spawn"]>[] = [];
  return {
    lab,
    near,
    client: client(),
    agentWords: ["--report", url, "--agent-id", "near"],
    async start() {
      if (transport === "nats") {
        const child = collector.ns.spawn(broker);
        running.push(child);
        await child.waitForLine(/Server is ready/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      }
      running.push(collector.ns.spawn(node(words)));
      await waitFor(() => client().listAgents({}), { deadlineMs: DEADLINE_MS, what: "query API" });
    },
    async kill() {
      for (const child of running.splice(0)) {
        child.signal("SIGKILL");
        await child.exited;
      }
    },
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

const traffic = (near: Namespace) =>
  sendDatagrams(near, { to: FAR, port: PORT, count: ROUND, rate: 5000, flows: FLOWS, fromPort: 10_000 });

describePrivileged("flows from the packet to the query", { tools: ["ip", "nats-server"] }, () => {
  test.each(["grpc", "nats"] as const)(
    "over %s: everything was taken away meanwhile, and nothing is missing",
    async (transport) => {
      await using rig = await build(transport);
      await rig.start();
      const words = ["-iface", "eth0", "--active-timeout", "300ms", "--format", "jsonl", "-freq", "1h"];
      const agent = rig.near.spawn(node(["tcflows", ...words, ...rig.agentWords]));
      await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      const udp = { agent: "near", port: PORT, protocol: "udp", destinationAddress: FAR, pageSize: 10_000 };
      const sum = (flows: readonly FlowRecord[]) => flows.reduce((all, { packets }) => all + packets, 0n);
      const stored = async (packets: number) => {
        const all = async () => sum((await rig.client.listFlows(udp)).flows);
        await waitFor(async () => (await all()) === BigInt(packets), {
          deadlineMs: DEADLINE_MS,
          what: `${packets} packets`,
        });
      };

      await traffic(rig.near);
      await stored(ROUND);
      await rig.kill();
      await traffic(rig.near);
      await rig.start();
      await traffic(rig.near);
      await stored(3 * ROUND);
      // what was counted last goes out at the end
      await traffic(rig.near);
      agent.signal("SIGTERM");
      expect(await agent.exited).toEqual({ code: 0, signal: null });
      await stored(4 * ROUND);

      const { flows } = await rig.client.listFlows({ ...udp, grouping: FlowGrouping.FLOWS });
      expect(flows.map(({ packets, l3Bytes, l2Bytes }) => [packets, l3Bytes, l2Bytes])).toEqual(
        new Array(FLOWS).fill([80n, 80n * 92n, 80n * 106n]),
      );
      const ends = new Set(flows.map(({ endReason }) => endReason));
      expect(ends).toEqual(new Set([FlowEndReason.FORCED_END]));
      const { agents } = await rig.client.listAgents({ agent: "near" });
      expect(agents).toMatchObject([{ service: "tcflows", role: "observer", interface: "eth0", lostReports: 0n }]);

      // the table that the agent showed says the same
      const lines = agent.stdout.map((line) => JSON.parse(line) as { destination_port?: number; packets: number });
      const shown = lines.filter((line) => line.destination_port === PORT);
      expect(shown.reduce((all, { packets }) => all + packets, 0)).toBe(4 * ROUND);
    },
    180_000,
  );
});
