import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { QueryService, RttSide } from "@waymark/proto/query";
import { FlowEventKind, RttMethod } from "@waymark/proto/report";
import {
  describePrivileged,
  linkCollector,
  NetLab,
  ping,
  runIperf3,
  startIperf3Server,
  waitFor,
} from "@waymark/testkit";
import { node } from "./src/suite.ts";

const DEADLINE_MS = 60_000;
const NEAR = "10.88.0.1";
const FAR = "10.88.0.2";
const QUERY = "http://10.79.0.1:8080";

interface Sample {
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_port: number;
  readonly protocol: string;
  readonly rtt: number;
  readonly match_on_egress: boolean;
}

/** Nanoseconds of a duration of the query API. */
const nsOf = (duration: { readonly seconds: bigint; readonly nanos: number } | undefined) =>
  Number(duration?.seconds ?? 0n) * 1e9 + (duration?.nanos ?? 0);

describePrivileged("round-trip times from the packet to the query", { tools: ["ip", "nats-server", "iperf3"] }, () => {
  test.each(["grpc", "nats"] as const)(
    "over %s: the collector answers what pping wrote, sample by sample and flow by flow",
    async (transport) => {
      await using lab = await NetLab.create();
      const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
      await lab.link(
        { ns: near, device: "eth0", addresses: [`${NEAR}/24`] },
        { ns: far, device: "eth0", addresses: [`${FAR}/24`] },
      );
      const collector = await linkCollector(lab, [near]);
      await lab.link(
        { ns: lab.here, device: `q${process.pid}`, addresses: ["10.79.0.2/24"] },
        { ns: collector.ns, device: "query0", addresses: ["10.79.0.1/24"] },
      );
      const url = transport === "nats" ? `nats://${collector.ipv4}:4222` : `grpc://${collector.ipv4}:12345`;
      const words = ["collector", "12345", "--listen", "10.79.0.1:8080", "--store", `${lab.folder}/store`];
      if (transport === "nats") {
        const broker = ["-a", collector.ipv4, "-p", "4222", "-js", "-sd", `${lab.folder}/nats`];
        const server = collector.ns.spawn(["nats-server", ...broker]);
        await server.waitForLine(/Server is ready/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
        words.push("--nats", url);
      }
      collector.ns.spawn(node(words));
      const client = createClient(QueryService, createGrpcTransport({ baseUrl: QUERY }));
      await waitFor(() => client.listAgents({}), { deadlineMs: DEADLINE_MS, what: "query API" });

      const own = ["-i", "eth0", "-TClsr0", "--report", url, "--interval", "1", "--format", "jsonl"];
      const agent = near.spawn(node(["pping", ...own, "--agent-id", "flows"]));
      await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      await startIperf3Server(far);
      await Promise.all([
        ping(near, FAR, { count: 30 }),
        runIperf3(near, { to: FAR, seconds: 1, streams: 2, bitrate: 4_000_000 }),
      ]);
      await agent.stop();
      const lines = agent.stdout.map((line) => JSON.parse(line) as Sample & { readonly flow_event?: string });
      const samples = lines.filter(({ rtt }) => rtt !== undefined);

      await waitFor(
        async () => {
          const { rtts } = await client.listRtt({ agent: "flows", pageSize: 1000 });
          return rtts.reduce((sum, { rtt }) => sum + Number(rtt?.count ?? 0n), 0) === samples.length;
        },
        { deadlineMs: DEADLINE_MS, what: `${samples.length} samples in summaries` },
      );
      const { rtts } = await client.listRtt({ agent: "flows", pageSize: 1000 });
      const measured = rtts.filter(({ method }) => method !== RttMethod.UNSPECIFIED);
      for (const { flow, method, side, rtt } of measured) {
        const isEcho = method === RttMethod.ICMP_ECHO;
        const twins = samples
          .filter(
            (sample) =>
              sample.src_ip === flow?.sourceAddress &&
              sample.match_on_egress === (side === RttSide.LOCAL) &&
              (isEcho
                ? sample.protocol === "ICMP"
                : sample.src_port === flow?.sourcePort && sample.dest_port === flow?.destinationPort),
          )
          .map((sample) => sample.rtt)
          .sort((a, b) => a - b);
        expect(twins).toHaveLength(Number(rtt?.count));
        expect([nsOf(rtt?.min), nsOf(rtt?.max)]).toEqual([twins[0], twins.at(-1)]);
        const middle = twins[Math.ceil(twins.length / 2) - 1] ?? 0;
        expect(Math.abs(nsOf(rtt?.p50) - middle)).toBeLessThanOrEqual(middle * 0.008 + 1);
      }
      const echo = measured.find(({ method }) => method === RttMethod.ICMP_ECHO);
      expect(echo).toMatchObject({ sentPackets: 30n, receivedPackets: 30n, measurablePackets: 60n });
      expect(echo?.rtt?.count).toBe(30n);

      const single = await client.listRttSamples({ agent: "flows", pageSize: 10_000 });
      expect(single.samples.map(({ rtt }) => nsOf(rtt)).toSorted()).toEqual(samples.map(({ rtt }) => rtt).toSorted());
      const { events } = await client.listFlowEvents({ agent: "flows", pageSize: 1000 });
      const opened = lines.filter((line) => line.flow_event === "opening").length;
      expect(events.filter(({ kind }) => kind === FlowEventKind.OPENING)).toHaveLength(opened);
      const { agents } = await client.listAgents({ agent: "flows" });
      expect(agents).toMatchObject([{ service: "pping", role: "observer", interface: "eth0", lostReports: 0n }]);
    },
    180_000,
  );

  test("aggregates by prefix", async () => {
    await using lab = await NetLab.create();
    const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
    await lab.link(
      { ns: near, device: "eth0", addresses: [`${NEAR}/24`] },
      { ns: far, device: "eth0", addresses: [`${FAR}/24`] },
    );
    const collector = await linkCollector(lab, [near]);
    await lab.link(
      { ns: lab.here, device: `q${process.pid}`, addresses: ["10.79.0.2/24"] },
      { ns: collector.ns, device: "query0", addresses: ["10.79.0.1/24"] },
    );
    collector.ns.spawn(node(["collector", "12345", "--listen", "10.79.0.1:8080", "--store", `${lab.folder}/store`]));
    const client = createClient(QueryService, createGrpcTransport({ baseUrl: QUERY }));
    await waitFor(() => client.listAgents({}), { deadlineMs: DEADLINE_MS, what: "query API" });
    const report = ["--report", `grpc://${collector.ipv4}:12345`, "--agent-id", "sums"];
    const agent = near.spawn(node(["pping", "-i", "eth0", "-C", "-r", "0", "-a", "1", "-4", "32", "-q", ...report]));
    await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    await ping(near, FAR, { count: 40, intervalMs: 50 });
    await agent.stop();
    const rows = async () => (await client.listRtt({ agent: "sums", prefix: `${FAR}/32` })).rtts;
    await waitFor(async () => (await rows()).some(({ rtt }) => rtt?.count === 40n), { deadlineMs: DEADLINE_MS });
    const [row] = (await rows()).filter(({ method }) => method === RttMethod.ICMP_ECHO);
    expect(row).toMatchObject({ prefix: `${FAR}/32`, sentPackets: 40n, receivedPackets: 40n, sentL3Bytes: 3360n });
  }, 120_000);
});
