import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Delay, QueryService, type RoundTrip } from "@waymark/proto/query";
import { describePrivileged, linkCollector, waitFor, whyNoWire } from "@waymark/testkit";
import { FAR, NEAR, PORT, SOURCE_PORT, StampPath } from "../../services/stamp/test/stamp-path.ts";
import { node } from "./src/suite.ts";

const DEADLINE_MS = 60_000;
const COUNT = 400;
const noWire = await whyNoWire();

/** Nanoseconds of a duration of the query API. */
const nsOf = (duration: { readonly seconds: bigint; readonly nanos: number } | undefined) =>
  Number(duration?.seconds ?? 0n) * 1e9 + (duration?.nanos ?? 0);

describePrivileged("STAMP from the packet to the query", { tools: ["ip", "gcc"], unless: () => noWire }, () => {
  test.each(["nats", "grpc"] as const)(
    "over %s: the collector answers what the sender printed",
    async (transport) => {
      await using path = await StampPath.create({
        wire: { delayUs: 3000, reverseDelayUs: 7000, lossPpm: 50_000, seed: 5 },
      });
      const { lab, near, far } = path;
      const collector = await linkCollector(lab, [near, far]);
      await lab.link(
        { ns: lab.here, device: `q${process.pid}`, addresses: ["10.79.0.2/24"] },
        { ns: collector.ns, device: "query0", addresses: ["10.79.0.1/24"] },
      );
      const url = transport === "nats" ? `nats://${collector.ipv4}:4222` : `grpc://${collector.ipv4}:12345`;
      const argv = ["collector", "12345", "--listen", "10.79.0.1:8080", "--store", `${lab.folder}/store`];
      if (transport === "nats") {
        const words = ["-a", collector.ipv4, "-p", "4222", "-js", "-sd", `${lab.folder}/nats`];
        const broker = collector.ns.spawn(["nats-server", ...words]);
        await broker.waitForLine(/Server is ready/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
        argv.push("--nats", url);
      }
      collector.ns.spawn(node(argv));
      const client = createClient(QueryService, createGrpcTransport({ baseUrl: "http://10.79.0.1:8080" }));
      await waitFor(() => client.listAgents({}), { deadlineMs: DEADLINE_MS, what: "query API" });

      await path.reflector(["--stateful", "--report", url, "--agent-id", "mirror", "--report-interval", "1"]);
      await path.acquaint();
      const session = ["--ssid", "7", "--dscp", "46", "--report", url, "--agent-id", "probe", "--report-interval", "1"];
      const count = ["-c", String(COUNT), "-i", "0.01", "--samples"];
      const { summaries, answers } = await path.sender([FAR[0], FAR[1], ...count, ...session]);

      const { roundTrips } = await waitFor(
        async () => {
          const answer = await client.listRoundTrips({ agent: "probe" });
          const sent = answer.roundTrips.reduce((sum, { packets }) => sum + (packets?.sent ?? 0n), 0n);
          return sent === BigInt(2 * COUNT) ? answer : undefined;
        },
        { deadlineMs: DEADLINE_MS, what: "all packets in the collector" },
      );
      const { delays } = await client.listDelay({ agent: "probe" });
      for (const [index, printed] of summaries.entries()) {
        const isOurs = (row: RoundTrip | Delay) => row.session?.reflectorAddress === FAR[index];
        const [roundTrip, delay] = [roundTrips.find(isOurs), delays.find(isOurs)];
        expect(roundTrip?.session).toMatchObject({
          senderAddress: NEAR[index],
          senderPort: SOURCE_PORT,
          reflectorPort: PORT,
          ssid: 7,
          dscp: 46,
          authenticated: false,
          stateful: true,
        });
        for (const packets of [roundTrip?.packets, delay?.packets]) {
          expect(packets).toMatchObject({
            sent: BigInt(COUNT),
            received: BigInt(printed.received_packets),
            lost: BigInt(printed.lost_packets),
            duplicate: 0n,
          });
        }
        expect(printed.lost_packets).toBeGreaterThan(0);
        for (const [asked, own] of [
          [roundTrip?.roundTrip, printed.round_trip],
          [roundTrip?.residence, printed.residence],
          [delay?.forward?.delay, printed.forward],
          [delay?.backward?.delay, printed.backward],
        ] as const) {
          expect(asked?.count).toBe(BigInt(own.count));
          expect([nsOf(asked?.min), nsOf(asked?.max)]).toEqual([own.min_ns, own.max_ns]);
        }
        expect(printed.forward.min_ns).toBeGreaterThanOrEqual(3e6);
        expect(printed.backward.min_ns).toBeGreaterThanOrEqual(7e6);
        expect(delay?.trustworthy).toBe(printed.synchronised);
      }
      const { samples } = await client.listDelaySamples({ agent: "probe", pageSize: 10_000 });
      expect(samples).toHaveLength(answers.filter(({ kind }) => kind === "received").length);

      const mirror = await waitFor(
        async () => {
          const [agent] = (await client.listAgents({ agent: "mirror" })).agents;
          const answered = summaries.reduce((sum, { received_packets }) => sum + received_packets, 0);
          return (agent?.counters["reflected"] ?? 0n) >= BigInt(answered) ? agent : undefined;
        },
        { deadlineMs: DEADLINE_MS, what: "the reflector's counters" },
      );
      expect(mirror).toMatchObject({ service: "stamp", role: "reflector", lostReports: 0n });
    },
    180_000,
  );
});
