import { readFile } from "node:fs/promises";
import { parsePacket, parseTcp, readPcap, TCP_FLAG } from "@waymark/packet";
import {
  Capture,
  describePrivileged,
  MeasuredPath,
  type Namespace,
  runIperf3,
  startIperf3Server,
} from "@waymark/testkit";
import { type FlowLine, FlowmonProcess, sum } from "./flowmon-process.ts";

const FAR_PORT = 7000;
const DEADLINE_MS = 60_000;
const OCTETS = 3_000_000;
const TCP = 6;
const UDP = 17;

/** Reads a TCP connection to its end and prints the number of octets. */
const READER = `
  require("node:net").createServer((socket) => {
    let octets = 0;
    socket.on("data", (data) => { octets += data.length; });
    socket.on("end", () => { console.log("octets " + octets); socket.end(); });
  }).listen(${FAR_PORT}, "::", () => console.log("ready"));
`;
/** Writes that many octets and ends when the reader has ended. */
const writer = (to: string, octets: number) => `
  const socket = require("node:net").connect(${FAR_PORT}, "${to}", () => {
    let left = ${octets};
    const more = () => {
      while (left > 0) {
        const size = Math.min(left, 65536);
        left -= size;
        if (!socket.write(Buffer.alloc(size))) return socket.once("drain", more);
      }
      socket.end();
    };
    more();
  });
  socket.on("data", () => {});
`;

/** On one CPU, so that the path does not reorder by itself. */
const node = (code: string) => ["taskset", "-c", "0", process.execPath, "-e", code];

/** Sends octets over one TCP connection; how many the other end's program read. */
async function transfer(path: MeasuredPath, octets: number): Promise<number> {
  const reader = path.sink.ns.spawn(node(READER));
  await reader.waitForLine(/ready/, { deadlineMs: DEADLINE_MS });
  await path.source.ns.exec(node(writer(path.sink.ipv4, octets)), { deadlineMs: DEADLINE_MS });
  const line = await reader.waitForLine(/octets/, { deadlineMs: DEADLINE_MS });
  await reader.stop("SIGTERM");
  return Number(line.split(" ")[1]);
}

async function retransmitted(ns: Namespace): Promise<number> {
  const { stdout } = await ns.exec(["cat", "/proc/net/snmp"]);
  const [names, values] = stdout.split("\n").filter((line) => line.startsWith("Tcp:"));
  const at = (names ?? "").split(" ").indexOf("RetransSegs");
  return Number((values ?? "").split(" ")[at]);
}

const count = (protocol: "tcp" | "udp") => ({ name: protocol, match: { protocol }, action: "count" }) as const;
const toFarPort = (line: FlowLine) => line.destination_port === FAR_PORT;

describePrivileged("throughput and goodput", () => {
  test("are what a router counted where segments are real, and what iperf3 says", async () => {
    await using path = await MeasuredPath.create();
    await path.router.apply([count("tcp"), count("udp")]);
    const flowmon = await FlowmonProcess.start(path.sink.ns, "-i", path.sink.device, "--format", "jsonl", "--top", "0");
    const leaving = ["-i", path.source.device, "--direction", "egress", "--format", "jsonl", "--top", "0"];
    const departures = await FlowmonProcess.start(path.source.ns, ...leaving);
    await startIperf3Server(path.sink.ns, 5201);
    await startIperf3Server(path.sink.ns, 5202);
    const [tcp, udp] = await Promise.all([
      runIperf3(path.source.ns, { to: path.sink.ipv4, port: 5201, seconds: 3, bitrate: 16_000_000, streams: 2 }),
      runIperf3(path.source.ns, {
        to: path.sink.ipv6,
        port: 5202,
        seconds: 3,
        bitrate: 8_000_000,
        streams: 2,
        udp: true,
        length: 1000,
      }),
    ]);
    const counters = await path.router.counters();
    const [lines, left] = [await flowmon.stop(), await departures.stop()];
    for (const [name, protocol] of [
      ["tcp", TCP],
      ["udp", UDP],
    ] as const) {
      const counted = counters.get(name);
      for (const side of [lines, left]) {
        const own = side.filter((line) => line.protocol === protocol);
        expect(BigInt(sum(own, (line) => line.packets))).toBe(counted?.packets);
        expect(BigInt(sum(own, (line) => line.l3_bytes))).toBe(counted?.bytes);
      }
    }
    // iperf3 says "lost" of what it did not read in time: all of it arrived
    const data = lines.filter((line) => line.protocol === UDP && line.destination_port === 5202);
    expect(sum(data, (line) => line.goodput_bytes)).toBe(sum(data, (line) => line.payload_bytes));
    expectWithinOnePercent(
      rateWhileActive(data),
      (udp.bitsPerSecond / 8) * (1 + (udp.lostPackets ?? 0) / (udp.packets ?? 1)),
    );
    const streams = lines.filter((line) => line.protocol === TCP && line.goodput_bytes > 100_000);
    expectWithinOnePercent(
      sum(streams, (line) => line.goodput_bytes),
      tcp.receivedBytes,
    );
  });

  test.each([
    ["without loss", []],
    ["across 1 % loss", [{ name: "lost", select: { every: 100 }, match: { protocol: "tcp" }, action: "drop" }]],
  ] as const)(
    "goodput is what the receiving program read, errors are what passed the interface: %s",
    async (_name, rules) => {
      await using path = await MeasuredPath.create({ sinkOffloads: { gro: false } });
      await path.router.apply(rules);
      const before = await retransmitted(path.source.ns);
      const flowmon = await FlowmonProcess.start(
        path.sink.ns,
        "-i",
        path.sink.device,
        "-packet_loss",
        "--format",
        "jsonl",
      );
      const filter = `dst port ${FAR_PORT}`;
      const capture = await Capture.start(path.lab, path.sink.ns, path.sink.device, { direction: "in", filter });
      const read = await transfer(path, OCTETS);
      const again = (await retransmitted(path.source.ns)) - before;
      const lines = (await flowmon.stop()).filter(toFarPort);
      await capture.stopAfter(
        sum(lines, (line) => line.packets),
        DEADLINE_MS,
      );
      const dropped = rules.length > 0 ? Number((await path.router.counter("lost")).packets) : 0;
      const all = (name: string) => sum(lines, (line) => line.sequence?.[name] ?? 0);

      expect(read).toBe(OCTETS);
      expect(sum(lines, (line) => line.goodput_bytes)).toBe(read);
      expect([all("lost"), all("loss_episodes"), all("restarts")]).toEqual([0, 0, 0]);
      const counters = ["reverse", "duplicates", "reordered", "skipped", "recovered"].map((name) => [name, all(name)]);
      expect({ ...Object.fromEntries(counters), ahead: all("small") + all("big") }).toEqual(
        plainStream(await readFile(capture.path)),
      );
      // What was lost and what came twice was sent again; only the few segments without octets are not retransmitted.
      expect(Math.abs(again - dropped - all("duplicates"))).toBeLessThanOrEqual(2);
      if (rules.length > 0) expect(all("skipped")).toBeGreaterThan(0);
      else if (again === 0)
        expect(Object.fromEntries(counters)).toEqual({
          reverse: 0,
          duplicates: 0,
          reordered: 0,
          skipped: 0,
          recovered: 0,
        });
    },
  );
});

/** What a capture of one TCP connection shows, by a plain map of its octets. */
function plainStream(file: Uint8Array) {
  const seen = new Uint8Array(OCTETS);
  const counts = { reverse: 0, duplicates: 0, reordered: 0, skipped: 0, recovered: 0, ahead: 0 };
  let [first, next] = [0, 0];
  for (const { bytes } of readPcap(file)?.records ?? []) {
    const packet = parsePacket(bytes);
    if (!packet.ok) throw new Error("the capture holds what is no packet");
    const header = parseTcp(bytes, packet.l4Offset, packet.l2Length + packet.l3Length);
    if (!header) throw new Error("the capture holds what is no segment");
    if ((header.flags & TCP_FLAG.syn) !== 0) first = header.sequence + 1;
    const from = (header.sequence - first) >>> 0;
    const length = packet.l3Length - packet.l3HeaderLength - header.headerLength;
    if (length === 0) continue;
    const fresh = seen.subarray(from, from + length).reduce((missing, octet) => missing + 1 - octet, 0);
    const late = seen.subarray(from, Math.max(from, Math.min(next, from + length)));
    counts.recovered += late.reduce((missing, octet) => missing + 1 - octet, 0);
    if (from > next) {
      counts.ahead++;
      counts.skipped += from - next;
    } else if (from < next) {
      counts.reverse++;
      if (fresh > 0) counts.reordered++;
      else counts.duplicates++;
    }
    seen.fill(1, from, from + length);
    next = Math.max(next, from + length);
  }
  return counts;
}

/** Bytes a second while packets came: their sum by the time between the first and the last of them. */
function rateWhileActive(lines: readonly FlowLine[]): number {
  const flows = new Map<string, { bytes: number; ns: number }>();
  for (const line of lines) {
    const { bytes, ns } = flows.get(line.flow ?? "") ?? { bytes: 0, ns: 0 };
    flows.set(line.flow ?? "", { bytes: bytes + line.goodput_bytes, ns: ns + line.gaps * (line.gap_mean_ns ?? 0) });
  }
  // iperf3's first datagram of a stream opens the connection: a stream begins with its second
  return [...flows.values()].reduce((rate, { bytes, ns }) => rate + bytes / (ns / 1e9), 0);
}

function expectWithinOnePercent(ours: number, theirs: number): void {
  expect(ours / theirs).toBeGreaterThan(0.99);
  expect(ours / theirs).toBeLessThan(1.01);
}
