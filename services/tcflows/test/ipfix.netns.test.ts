import { Capture, describePrivileged, NetLab, ping, sendDatagrams, waitFor } from "@waymark/testkit";
import { type DecodedFlow, decodeIpfix } from "./cflow.ts";
import { type Line, Running } from "./running.ts";

const DEADLINE_MS = 30_000;
const PORT = 4739;
const COLLECTOR = "10.87.0.2";
/** Takes what comes and says nothing, as IPFIX collectors do. */
const SINK = `require("node:net").createServer((c) => c.resume()).listen(${PORT}, () => console.log("up"))`;

describePrivileged("IPFIX on the wire", { tools: ["tshark", "tcpdump"] }, () => {
  test.each(["udp", "tcp"] as const)(
    "over %s: a strange decoder finds every flow, and loses no record",
    async (transport) => {
      await using lab = await NetLab.create();
      const [near, far, collector] = [
        await lab.namespace("near"),
        await lab.namespace("far"),
        await lab.namespace("coll"),
      ];
      await lab.link(
        { ns: near, device: "eth0", addresses: ["10.86.0.1/24", "fd86::1/64"] },
        { ns: far, device: "eth0", addresses: ["10.86.0.2/24", "fd86::2/64"] },
      );
      await lab.link(
        { ns: near, device: "ctl0", addresses: ["10.87.0.1/24"] },
        // so that tcpdump sees segments as they are
        { ns: collector, device: "eth0", addresses: [`${COLLECTOR}/24`], offloads: { gro: false } },
      );
      if (transport === "tcp") {
        await collector.spawn([process.execPath, "-e", SINK]).waitForLine(/^up$/, { deadlineMs: DEADLINE_MS });
      }
      await using capture = await Capture.start(lab, collector, "eth0", { filter: `${transport} port ${PORT}` });
      const flags = ["--ipfix", `${transport}://${COLLECTOR}:${PORT}`, "--active-timeout", "300ms"];
      const running = await Running.start(lab, near, ["eth0"], ...flags);
      await sendDatagrams(near, { to: "10.86.0.2", port: 9, count: 3000, rate: 3000, flows: 300, fromPort: 10_000 });
      await sendDatagrams(near, { to: "fd86::2", port: 9, count: 100, rate: 1000, fromPort: 4000 });
      await ping(near, "10.86.0.2", { count: 5 });
      const lines = await running.stop();
      const decoded = await waitFor(
        async () => {
          const found = await decodeIpfix(capture.path, transport, PORT);
          return tally(found.flows, wordsOf).size >= tally(lines, lineWords).size ? found : undefined;
        },
        { deadlineMs: DEADLINE_MS, what: "all flows in the capture" },
      );
      await capture.stop();
      expect(tally(decoded.flows, wordsOf)).toEqual(tally(lines, lineWords));
      expect(decoded.templates.slice(0, 3)).toEqual(["256", "257", "258"]);
      // flowEndReason: some records while it went on, and all flows ended by the end of the agent
      const reasons = new Set(decoded.flows.map((flow) => flow["cflow.flow_end_reason"]));
      expect(reasons).toEqual(new Set(["2", "4"]));
      let sequence = 0;
      for (const [told, records] of decoded.messages) {
        expect(told).toBe(sequence);
        sequence += records;
      }
    },
    90_000,
  );
});

interface Counted {
  readonly packets: number;
  readonly octets: number;
}

/** Packets and octets by flow. */
function tally<T>(items: readonly T[], words: (item: T) => readonly [string, Counted]): Map<string, Counted> {
  const sums = new Map<string, Counted>();
  for (const item of items) {
    const [name, { packets, octets }] = words(item);
    const before = sums.get(name) ?? { packets: 0, octets: 0 };
    sums.set(name, { packets: before.packets + packets, octets: before.octets + octets });
  }
  return sums;
}

const PROTOCOLS: Readonly<Record<string, string>> = { 1: "icmp", 17: "udp", 58: "icmpv6" };

function wordsOf(flow: DecodedFlow): readonly [string, Counted] {
  const source = flow["cflow.srcaddr"] ?? flow["cflow.srcaddrv6"] ?? "";
  const destination = flow["cflow.dstaddr"] ?? flow["cflow.dstaddrv6"] ?? "";
  const what =
    source === "" ? `0x0${Number(flow["cflow.ethernet_type"]).toString(16)}` : PROTOCOLS[flow["cflow.protocol"] ?? ""];
  const direction = flow["cflow.direction"] === "0" ? "ingress" : "egress";
  const ports = `${flow["cflow.srcport"] ?? 0} ${flow["cflow.dstport"] ?? 0}`;
  const counted = { packets: Number(flow["cflow.packets"]), octets: Number(flow["cflow.octets"]) };
  return [`${direction} ${what} ${source} ${destination} ${ports}`, counted];
}

function lineWords(line: Line): readonly [string, Counted] {
  const { source = "", destination = "", source_port = 0, destination_port = 0 } = line;
  const what = line.ether_type ?? line.protocol;
  const name = `${line.direction} ${what} ${source} ${destination} ${source_port} ${destination_port}`;
  return [name, { packets: line.packets, octets: line.l3_bytes }];
}
