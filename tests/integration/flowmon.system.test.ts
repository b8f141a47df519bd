import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FlowGrouping, QueryService, type Throughput } from "@waymark/proto/query";
import { describePrivileged, linkCollector, type Namespace, NetLab, waitFor } from "@waymark/testkit";
import { node } from "./src/suite.ts";

const DEADLINE_MS = 60_000;
const NEAR = "10.89.0.1";
const PORT = 9;
const ROUND = 1000;
const QUERY = "http://10.79.0.1:8080";
/** Each round its datagrams leave out these numbers. */
const LOST = [100, 101, 500];

const client = () => createClient(QueryService, createGrpcTransport({ baseUrl: QUERY }));

/** Numbered datagrams, some numbers left out, 1000 a second. */
const sender = (first: number, source: number) => `
  const socket = require("node:dgram").createSocket("udp4");
  const lost = ${JSON.stringify(LOST)};
  let number = 0;
  const next = () => {
    if (number === ${ROUND}) return socket.close();
    const payload = Buffer.alloc(100);
    payload.writeUInt32BE(${first} + number, 8);
    if (lost.includes(number++)) return next();
    socket.send(payload, ${PORT}, "${NEAR}", () => setTimeout(next, 0.5));
  };
  socket.bind(${source}, next);
`;

const send = (far: Namespace, round: number) =>
  far.exec([process.execPath, "-e", sender(round * ROUND, 4000)], { deadlineMs: DEADLINE_MS });

const sum = (records: readonly Throughput[], of: (record: Throughput) => bigint) =>
  records.reduce((all, record) => all + of(record), 0n);

describePrivileged("throughput from the packet to the query", { tools: ["ip", "nats-server"] }, () => {
  test.each(["grpc", "nats"] as const)(
    "over %s: intervals add up to what was sent, also after the collector was gone",
    async (transport) => {
      await using lab = await NetLab.create();
      const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
      await lab.link(
        { ns: near, device: "eth0", addresses: [`${NEAR}/24`] },
        { ns: far, device: "eth0", addresses: ["10.89.0.2/24"] },
      );
      const collector = await linkCollector(lab, [near]);
      await lab.link(
        { ns: lab.here, device: `q${process.pid}`, addresses: ["10.79.0.2/24"] },
        { ns: collector.ns, device: "query0", addresses: ["10.79.0.1/24"] },
      );
      const url = transport === "nats" ? `nats://${collector.ipv4}:4222` : `grpc://${collector.ipv4}:12345`;
      const words = ["collector", "12345", "--listen", "10.79.0.1:8080", "--store", `${lab.folder}/store`];
      if (transport === "nats") {
        words.push("--nats", url);
        const argv = ["nats-server", "-a", collector.ipv4, "-p", "4222", "-js", "-sd", `${lab.folder}/nats`];
        const broker = collector.ns.spawn(argv);
        await broker.waitForLine(/Server is ready/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      }
      const startCollector = async () => {
        const child = collector.ns.spawn(node(words));
        await waitFor(() => client().listAgents({}), { deadlineMs: DEADLINE_MS, what: "query API" });
        return child;
      };
      const first = await startCollector();
      const conf = `${lab.folder}/config.json`;
      await lab.here.exec(["sh", "-c", `echo '{ "OFFSET": 8 }' > ${conf}`]);
      const options = ["-i", "eth0", "-t", "0.5", "-packet_loss", "-conf", conf, "--format", "jsonl"];
      const agent = near.spawn(node(["flowmon", ...options, "--report", url, "--agent-id", "near"]));
      await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      const records = async (grouping: FlowGrouping) => {
        const filter = { agent: "near", destinationPort: PORT, protocol: "udp", pageSize: 10_000, grouping };
        return (await client().listThroughput(filter)).throughputs;
      };
      const stored = (rounds: number) =>
        waitFor(
          async () =>
            sum(await records(FlowGrouping.RECORDS), ({ packets }) => packets) === BigInt(rounds * (ROUND - 3)),
          { deadlineMs: DEADLINE_MS, what: `${rounds} rounds` },
        );

      await send(far, 0);
      await stored(1);
      first.signal("SIGKILL");
      await first.exited;
      await send(far, 1);
      await startCollector();
      await send(far, 2);
      agent.signal("SIGTERM");
      expect(await agent.exited).toEqual({ code: 0, signal: null });
      await stored(3);

      const all = await records(FlowGrouping.RECORDS);
      expect(all.length).toBeGreaterThan(3);
      const packets = BigInt(3 * (ROUND - 3));
      expect([sum(all, ({ l3Bytes }) => l3Bytes), sum(all, ({ goodputBytes }) => goodputBytes)]).toEqual([
        packets * 128n,
        packets * 100n,
      ]);
      const counts = (name: "received" | "lost" | "lossEpisodes" | "duplicates") =>
        sum(all, ({ sequence }) => sequence?.[name] ?? 0n);
      expect([counts("received"), counts("lost"), counts("lossEpisodes"), counts("duplicates")]).toEqual([
        packets,
        9n,
        6n,
        0n,
      ]);
      for (const { l3Bytes, l3BytesPerSecond, startTime, endTime } of all) {
        const ns = (endTime?.seconds ?? 0n) * 1_000_000_000n + BigInt(endTime?.nanos ?? 0);
        const from = (startTime?.seconds ?? 0n) * 1_000_000_000n + BigInt(startTime?.nanos ?? 0);
        expect(l3BytesPerSecond).toBeCloseTo(Number(l3Bytes) / (Number(ns - from) / 1e9), 0);
      }
      // one flow, put together; its gaps are all but the first packet's
      const [flow, ...others] = await records(FlowGrouping.FLOWS);
      expect(others).toEqual([]);
      expect(flow).toMatchObject({ packets, agent: "near", flow: { interface: "eth0" } });
      // and what the agent printed says the same
      const lines = agent.stdout.map((line) => JSON.parse(line) as { destination_port?: number; packets: number });
      const printed = lines.filter((line) => line.destination_port === PORT);
      expect(printed.reduce((total, line) => total + line.packets, 0)).toBe(Number(packets));
    },
    180_000,
  );
});
