import {
  Capture,
  describePrivileged,
  NetLab,
  type Offloads,
  REAL_SEGMENTS,
  readCapture,
  runIperf3,
  sendFrames,
  startIperf3Server,
} from "@waymark/testkit";
import { closeRigs, IPV4, Rig, tcp } from "./rig.ts";
import { flowText, RttStream } from "./rtt-stream.ts";
import { DEVICE, measuring, pping } from "./two-hosts.ts";

const ETHERNET = 14n;
const OFFLOADS: Offloads = { tx: true, tso: true, gso: true, gro: true };

afterAll(closeRigs);

describePrivileged("flows and their counts", { tools: ["tshark", "iperf3"] }, () => {
  test.each([
    ["on", OFFLOADS],
    ["off", REAL_SEGMENTS],
  ])(
    "packets and bytes of every conversation equal tshark's, offloads %s",
    async (_name, offloads) => {
      await using lab = await NetLab.create();
      await using stream = await RttStream.start();
      const [middle, far] = [await lab.namespace("middle"), await lab.namespace("far")];
      // What the measured interface merges is apart again behind the next hop.
      await lab.link(
        { ns: lab.here, device: DEVICE, addresses: ["10.83.0.1/24"], offloads },
        { ns: middle, device: "left", addresses: ["10.83.0.2/24"], offloads },
      );
      await lab.link(
        { ns: middle, device: "right", addresses: ["10.83.1.1/24"], offloads: REAL_SEGMENTS },
        { ns: far, device: DEVICE, addresses: ["10.83.1.2/24"], offloads: REAL_SEGMENTS },
      );
      await middle.sysctl({ "net.ipv4.ip_forward": 1 });
      await lab.here.ip("route add 10.83.1.0/24 via 10.83.0.2");
      await far.ip("route add 10.83.0.0/24 via 10.83.1.1");
      await startIperf3Server(far);
      await using capture = await Capture.start(lab, far, DEVICE, { filter: "tcp", snapLength: 96 });
      const agent = await measuring(pping(lab.here, "-i", DEVICE, "-ls", "-q", "--report", stream.url));
      await runIperf3(lab.here, { to: "10.83.1.2", bytes: 20_000_000, streams: 2 });
      await runIperf3(lab.here, { to: "10.83.1.2", bytes: 5_000_000, reverse: true });
      await agent.stop();
      await capture.stop();

      const told = new Map<string, readonly [bigint, bigint]>();
      for (const batch of await stream.batches()) {
        for (const { subject, sentPackets, sentL3Bytes } of batch.summaries) {
          if (subject.case !== "flow") continue;
          const [far, near] = flowText(batch.flows[subject.value]).split("+");
          const [packets, bytes] = told.get(`${near}>${far}`) ?? [0n, 0n];
          told.set(`${near}>${far}`, [packets + sentPackets, bytes + sentL3Bytes]);
        }
      }
      const fields = ["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "frame.len"] as const;
      const truth = new Map<string, readonly [bigint, bigint]>();
      for (const row of await readCapture(capture.path, [...fields])) {
        const way = `${row["ip.src"]}:${row["tcp.srcport"]}>${row["ip.dst"]}:${row["tcp.dstport"]}`;
        const [packets, bytes] = truth.get(way) ?? [0n, 0n];
        truth.set(way, [packets + 1n, bytes + BigInt(row["frame.len"]) - ETHERNET]);
      }
      expect(truth.size).toBe(10);
      expect(Object.fromEntries(told)).toEqual(Object.fromEntries(truth));
    },
    60_000,
  );
});

describePrivileged("many flows", { tools: ["nats-server"] }, () => {
  const FLOWS = 1000;
  const ROUNDS = 100;
  /** Of the time stamp in a frame: behind Ethernet, IPv4, TCP, two NOPs, kind and length. */
  const VALUE_AT = 14 + 20 + 20 + 4;

  test("1 000 flows × 100 samples without a rate limit: all of them reach NATS, and the line beside them", async () => {
    await using lab = await NetLab.create();
    await using stream = await RttStream.start();
    const far = await lab.namespace("far");
    await lab.link({ ns: lab.here, device: DEVICE }, { ns: far, device: DEVICE });
    const args = ["-i", DEVICE, "-r", "0", "--report", stream.url, "-w", `${lab.folder}/out`, "-F", "jsonl"];
    const agent = await measuring(pping(lab.here, ...args));
    const ports = Array.from({ length: FLOWS }, (_, i) => 1000 + i);
    const templates = [true, false].map((out) =>
      ports.map((nearPort) => tcp({ ...IPV4, nearPort }, out, { ts: [0, 0], bytes: out ? 1 : 0 })),
    );
    // The value in what goes out, its echo in what comes back.
    const frames = (out: boolean, value: number) => {
      const made = templates[out ? 0 : 1] ?? [];
      for (const frame of made) new DataView(frame.buffer).setUint32(out ? VALUE_AT : VALUE_AT + 4, value);
      return made;
    };
    // The first identifier of a flow may have been used before; it only begins the flow.
    await sendFrames(lab.here, DEVICE, frames(true, 0), { count: FLOWS });
    for (let round = 1; round <= ROUNDS; round++) {
      await sendFrames(lab.here, DEVICE, frames(true, round), { count: FLOWS });
      // Every tenth time each answer comes twice, at two processors: still one sample.
      const answers = [...Array(round % 10 === 0 ? 2 : 1)];
      await Promise.all(answers.map(() => sendFrames(far, DEVICE, frames(false, round), { count: FLOWS })));
    }
    await agent.stop();
    expect(agent.status).toEqual({ code: 0, signal: null });

    const samples = new Map<string, number>();
    const events = new Set<string>();
    let sent = 0n;
    for (const batch of await stream.batches()) {
      for (const place of batch.samples?.flow ?? []) {
        const flow = flowText(batch.flows[place]);
        samples.set(flow, (samples.get(flow) ?? 0) + 1);
      }
      for (const { flow } of batch.events) events.add(flowText(batch.flows[flow]));
      for (const { sentPackets } of batch.summaries) sent += sentPackets;
    }
    expect([samples.size, events.size]).toEqual([FLOWS, FLOWS]);
    // A busy host may lose a frame on its way; whatever was measured has arrived, and is in the file.
    const [{ counters } = { counters: {} as Record<string, bigint> }] = (await stream.reports()).slice(-1);
    expect(counters).toMatchObject({ events_lost: 0n, reports_dropped: 0n, output_dropped: 0n });
    const delivered = [...samples.values()].reduce((sum, count) => sum + count, 0);
    const { stdout } = await lab.here.exec(["grep", "-c", '"rtt"', `${lab.folder}/out`]);
    expect([delivered, Number(stdout)]).toEqual([Number(counters["samples"]), Number(counters["samples"])]);
    expect(delivered).toBeGreaterThan(0.95 * FLOWS * ROUNDS);
    expect(Math.max(...samples.values())).toBeLessThanOrEqual(ROUNDS);
    expect(sent).toBeGreaterThanOrEqual(BigInt(delivered));
  }, 90_000);

  test("200 000 flows and a table for 131 072: packets without an entry are counted exactly", () => {
    using rig = new Rig({ flows: 131_072 });
    const program = rig.object.program("pping_egress");
    const data = tcp(IPV4, true, { ts: [1, 0], bytes: 1 });
    const view = new DataView(data.buffer);
    const send = (flow: number) => {
      view.setUint32(14 + 12, 0x0b00_0000 + flow);
      program.testRun({ data, dataSizeOut: 0 });
    };
    for (let flow = 0; flow < 200_000; flow++) send(flow);
    for (let flow = 190_000; flow < 200_000; flow++) send(flow);
    const counters = rig.counters();
    expect(counters["FLOWS_CREATED"]).toBe(131_072);
    expect((counters["FLOW_TABLE_FULL"] ?? 0) + (counters["FLOW_NO_MEMORY"] ?? 0)).toBe(210_000 - 131_072);
    expect(counters["TRACKED"]).toBe(131_072);

    // They are over at once: the ring holds what one pass tells, and nothing is lost if it is read in between.
    const passes: number[] = [];
    let told = 0;
    for (let left = true; left; left = passes.at(-1) !== 0) {
      passes.push(rig.sweep(passes.length === 0 ? 31_000_000_000n : 0n));
      told += rig.news().length;
    }
    expect(passes).toEqual([...Array(8).fill(16_384), 0]);
    expect([told, rig.counters()["EVENTS_LOST"]]).toEqual([131_072, undefined]);
  }, 60_000);
});
