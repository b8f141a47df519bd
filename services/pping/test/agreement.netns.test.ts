import { Capture, describePrivileged, ping, readCapture, runIperf3, startIperf3Server } from "@waymark/testkit";
import { flowOf, median, methodOf, type SampleLine, samplesOf } from "./event-lines.ts";
import { type ReferenceSample, referenceSamples } from "./reference.ts";
import {
  askDns,
  connectionsEnded,
  DEVICE,
  FAR,
  FAR6,
  measuring,
  NEAR,
  pping,
  startDnsServer,
  twoHosts,
} from "./two-hosts.ts";

const NS_PER_S = 1e9;
const NS_PER_MS = 1e6;

// With -c 0, as the plain reading has no time-outs either: 8 round trips are soon over when an answer is lost.

/** Samples by method, side and flow. */
function tally(samples: readonly { readonly key: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { key } of samples) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

const keyOfLine = (line: SampleLine) => ({
  key: `${methodOf(line)} ${flowOf(line)} ${line.match_on_egress ? "local" : "remote"}`,
});
const keyOfReference = ({ method, flow, local }: ReferenceSample) => ({
  key: `${method} ${flow} ${local ? "local" : "remote"}`,
});

const ACK_FIELDS = ["frame.time_epoch", "tcp.srcport", "tcp.dstport", "tcp.analysis.ack_rtt"] as const;
/** How far apart the packet program and the capture may see one packet. */
const SAME_PACKET_S = 0.000_2;

/** A sample beside tshark's time for the segment that the same packet acknowledges. */
function twinOf(line: SampleLine, acks: readonly Record<(typeof ACK_FIELDS)[number], string>[]) {
  const twin = acks.find(
    (row) =>
      Number(row["tcp.srcport"]) === line.src_port &&
      Number(row["tcp.dstport"]) === line.dest_port &&
      Math.abs(Number(row["frame.time_epoch"]) - line.timestamp / NS_PER_S) < SAME_PACKET_S,
  );
  return twin && { told: line.rtt, truth: Number(twin["tcp.analysis.ack_rtt"]) * NS_PER_S };
}

/** Within 5 % or 50 µs. */
function expectClose(told: number, truth: number): void {
  expect(Math.abs(told - truth)).toBeLessThanOrEqual(Math.max(0.05 * truth, 50_000));
}

describePrivileged(
  "against tshark, ping and a plain reading of the same packets",
  { tools: ["tshark", "iperf3"] },
  () => {
    test.each([
      [50, 2_000_000],
      [500, 2_000_000],
      [5000, 2_000_000],
      [50_000, 1_000_000],
    ])(
      "a one-way delay of %i µs",
      async (delayUs, bitrate) => {
        await using hosts = await twoHosts({ delayUs });
        const { lab, near, far } = hosts;
        await startIperf3Server(far);
        await startDnsServer(far);
        await using capture = await Capture.start(lab, near, DEVICE, { filter: "ip or ip6" });
        const agent = await measuring(pping(near, "-i", DEVICE, "-TClsr0", "-c", "0", "--dns", "-F", "jsonl"));
        const [, pings, pings6] = await Promise.all([
          runIperf3(near, { to: FAR, seconds: 2, streams: 3, bitrate }),
          ping(near, FAR, { count: 20, intervalMs: 50 }),
          ping(near, FAR6, { count: 10, intervalMs: 50 }),
          askDns(near, FAR, 10),
        ]);
        await connectionsEnded(hosts);
        await agent.stop();
        await capture.stop();

        const lines = samplesOf(agent.stdout);
        const expected = referenceSamples(capture.path, NEAR);
        expect(tally(lines.map(keyOfLine))).toEqual(tally(expected.map(keyOfReference)));

        const remote = (method: string) => lines.filter((line) => methodOf(line) === method && !line.match_on_egress);
        const rtts = (method: string) => remote(method).map(({ rtt }) => rtt);
        const echoes = await readCapture(
          capture.path,
          ["icmp.resptime", "icmpv6.resptime"],
          "icmp.resptime or icmpv6.resptime",
        );
        const resptimes = echoes.map((row) => Number(row["icmp.resptime"] || row["icmpv6.resptime"]) * NS_PER_MS);
        expectClose(Math.min(...rtts("icmp_echo")), Math.min(...resptimes));
        // The least one: ping's own figures have its waiting for a processor in them.
        const pinged = Math.min(...pings.rttsMs, ...pings6.rttsMs) * NS_PER_MS;
        expectClose(Math.min(...rtts("icmp_echo")), pinged);

        const filter = `tcp.analysis.ack_rtt and ip.src == ${FAR}`;
        const acks = await readCapture(capture.path, [...ACK_FIELDS], filter);
        const pairs = remote("tcp_timestamp").flatMap((line) => twinOf(line, acks) ?? []);
        expect(pairs.length).toBeGreaterThan(20);
        const [told, truth] = [pairs.map((pair) => pair.told), pairs.map((pair) => pair.truth)];
        expectClose(Math.min(...told), Math.min(...truth));
        // An acknowledgement of several segments is timed from the last one by tshark, from the first one with its time
        // stamp by pping, which matters where the segments' distance is more than the delay.
        if (delayUs >= 5000) expectClose(median(told), median(truth));
        for (const method of ["tcp_timestamp", "dns"]) {
          const read = expected.filter((each) => each.method === method && !each.local).map(({ rttNs }) => rttNs);
          expectClose(median(rtts(method)), median(read));
        }
        // What nobody can undercut.
        expect(Math.min(...rtts("tcp_timestamp"), ...rtts("dns"))).toBeGreaterThanOrEqual(2 * delayUs * 1000);
      },
      60_000,
    );

    test("reordered, duplicated and lost segments: the samples of the plain reading, none wrong", async () => {
      const faults = { delayUs: 3000, reorderEvery: 23, reorderUs: 2000, duplicateEvery: 17, dropEvery: 41 };
      await using hosts = await twoHosts(faults);
      const { lab, near, far } = hosts;
      await startIperf3Server(far);
      await using capture = await Capture.start(lab, near, DEVICE, { filter: "ip" });
      const agent = await measuring(pping(near, "-i", DEVICE, "-lsr0", "-c", "0", "-F", "jsonl"));
      await runIperf3(near, { to: FAR, seconds: 2, streams: 2, bitrate: 3_000_000 });
      await runIperf3(near, { to: FAR, seconds: 1, reverse: true, bitrate: 3_000_000 });
      await connectionsEnded(hosts);
      await agent.stop();
      await capture.stop();
      const lines = samplesOf(agent.stdout);
      expect(tally(lines.map(keyOfLine))).toEqual(tally(referenceSamples(capture.path, NEAR).map(keyOfReference)));
      const remote = lines.filter((line) => !line.match_on_egress);
      expect(remote.length).toBeGreaterThan(50);
      expect(Math.min(...remote.map(({ rtt }) => rtt))).toBeGreaterThanOrEqual(2 * faults.delayUs * 1000);
      const sent = await readCapture(capture.path, ["frame.number"], "tcp.analysis.retransmission");
      expect(sent.length).toBeGreaterThan(0);
    }, 60_000);

    test("without time stamps, by sequence numbers: never of what was sent again, each as tshark has it", async () => {
      await using hosts = await twoHosts({ delayUs: 3000, dropEvery: 41, reorderEvery: 29, reorderUs: 2000 });
      const { lab, near, far } = hosts;
      for (const ns of [near, far]) await ns.sysctl({ "net.ipv4.tcp_timestamps": 0 });
      await startIperf3Server(far);
      await using capture = await Capture.start(lab, near, DEVICE, { filter: "tcp" });
      const agent = await measuring(pping(near, "-i", DEVICE, "--sequence", "--handshake", "-r", "0", "-F", "jsonl"));
      await runIperf3(near, { to: FAR, seconds: 2, streams: 2, bitrate: 3_000_000 });
      await connectionsEnded(hosts);
      await agent.stop();
      await capture.stop();
      const lines = samplesOf(agent.stdout);
      const fields = ["frame.number", "frame.time_epoch", "tcp.srcport", "tcp.dstport"] as const;
      const analysis = ["tcp.analysis.acks_frame", "tcp.analysis.ack_rtt", "tcp.analysis.retransmission"] as const;
      const rows = await readCapture(capture.path, [...fields, ...analysis], "tcp");
      const again = new Set(
        rows.filter((row) => row["tcp.analysis.retransmission"] !== "").map((row) => row["frame.number"]),
      );
      const told = (method: string) => lines.filter((line) => line.method === method);
      expect(told("tcp_handshake")).toHaveLength(3);
      expect(told("tcp_sequence").length).toBeGreaterThan(50);
      for (const line of told("tcp_sequence")) {
        const [flow, rttS] = [`${line.src_port} ${line.dest_port}`, line.rtt / NS_PER_S];
        const twin = rows.find(
          (row) =>
            `${row["tcp.srcport"]} ${row["tcp.dstport"]}` === flow &&
            Math.abs(Number(row["frame.time_epoch"]) - line.timestamp / NS_PER_S) < 0.001 &&
            Math.abs(Number(row["tcp.analysis.ack_rtt"]) - rttS) < 0.001,
        );
        expect(twin).toBeDefined();
        expect(again.has(twin?.["tcp.analysis.acks_frame"] ?? "")).toBe(false);
      }
    }, 60_000);
  },
);
