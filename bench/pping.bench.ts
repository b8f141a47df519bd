// What pping costs (DESIGN §5): a packet of each method, beside an empty program that is measured around it in the same
// run; a sample on its way from the kernel's ring to standard output and to NATS; memory with all flows in use.
import { createLogger, type Publisher, parseCommand } from "@waymark/agent";
import { BpfObject, type BpfRingBuffer } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import { buildPacket, type TcpOption } from "@waymark/packet";
import { agentIdentity, openAgentPublisher, systemClock } from "@waymark/probe";
import { startNatsServer } from "@waymark/testkit";
import { connect, type StreamConfig } from "nats";
import { type PpingEvent, ppingSpec } from "../services/pping/bpf/pping.gen.ts";
import { ppingCommand } from "../services/pping/src/cli.ts";
import { type MeasurementOptions, measurementOf } from "../services/pping/src/config.ts";
import { eventFormat, type FormatName } from "../services/pping/src/event-format.ts";
import { configure } from "../services/pping/src/kernel-config.ts";
import { NewsReader } from "../services/pping/src/news-reader.ts";
import { fileOutput, silentOutput } from "../services/pping/src/output.ts";
import { Recorder } from "../services/pping/src/recorder.ts";
import { median, table } from "./src/figures.ts";

const REPEAT = 1_000_000;
const ROUNDS = 5;
const ETHERNET_BYTES = 14;
const EGRESS_NS = 105;
const INGRESS_NS = 125;
const ALL_FLOWS = 131_072;
const SAMPLE_FLOWS = 1000;
/** What fits into the ring. */
const SAMPLES = 100_000;
const REACH_SAMPLES = 250_000;
const US_PER_S = 1e6;

type Hook = "pping_egress" | "pping_ingress" | "pping_xdp";

function optionsOf(...argv: string[]): MeasurementOptions {
  const parsed = parseCommand(ppingCommand, argv, {});
  if (parsed.kind !== "run") throw new Error(parsed.text);
  return parsed.values;
}

function load(...argv: string[]): BpfObject<typeof ppingSpec> {
  using open = BpfObject.open(ppingSpec);
  configure(open, measurementOf(optionsOf(...argv)), ETHERNET_BYTES);
  const object = open.load();
  const prefixes = object.map("prefixes");
  prefixes.set(0, prefixes.createInner());
  return object;
}

const ipv4 = { source: "10.0.0.1", destination: "10.0.0.2" };
const back4 = { source: "10.0.0.2", destination: "10.0.0.1" };
const ipv6 = { source: "2001:db8::1", destination: "2001:db8::2" };

interface Segment {
  readonly ts?: readonly [number, number];
  readonly flags?: number;
  readonly bytes?: number;
  readonly ack?: number;
  readonly reply?: boolean;
  readonly v6?: boolean;
}

function tcp({ ts, flags = 16, bytes = 1400, ack = 1, reply = false, v6 = false }: Segment): Uint8Array {
  const options: TcpOption[] = ts
    ? [{ kind: "nop" }, { kind: "nop" }, { kind: "timestamps", value: ts[0], echo: ts[1] }]
    : [];
  const [sourcePort, destinationPort] = reply ? [80, 4000] : [4000, 80];
  const payload = new Uint8Array(bytes);
  const transport = {
    kind: "tcp",
    sourcePort,
    destinationPort,
    acknowledgement: ack,
    flags,
    options,
    payload,
  } as const;
  return buildPacket({ ethernet: {}, ...(v6 ? { ipv6 } : { ipv4: reply ? back4 : ipv4 }), transport });
}

function udp(sourcePort: number, destinationPort: number, first: number): Uint8Array {
  const payload = new Uint8Array(64);
  payload[0] = first;
  return buildPacket({ ethernet: {}, ipv4, transport: { kind: "udp", sourcePort, destinationPort, payload } });
}

interface Case {
  readonly name: string;
  readonly argv: readonly string[];
  readonly hook: Hook;
  readonly packet: Uint8Array;
  /** Sent first, to begin the flow. */
  readonly first?: Uint8Array;
  readonly reachNs?: number;
}

const opening = tcp({ ts: [5, 1] });
const answer = tcp({ ts: [9, 5], reply: true, bytes: 0 });
const cases: readonly Case[] = [
  { name: "TCP time stamps, egress", argv: [], hook: "pping_egress", packet: opening, reachNs: EGRESS_NS },
  {
    name: "TCP time stamps, ingress (tc)",
    argv: [],
    hook: "pping_ingress",
    packet: answer,
    first: opening,
    reachNs: INGRESS_NS,
  },
  {
    name: "TCP time stamps, ingress (xdp)",
    argv: ["-I", "xdp"],
    hook: "pping_xdp",
    packet: answer,
    first: opening,
    reachNs: INGRESS_NS,
  },
  {
    name: "TCP time stamps over IPv6, egress",
    argv: [],
    hook: "pping_egress",
    packet: tcp({ ts: [5, 1], v6: true }),
    reachNs: EGRESS_NS,
  },
  {
    name: "the same with the near side (-l)",
    argv: ["-l"],
    hook: "pping_ingress",
    packet: answer,
    first: opening,
    reachNs: INGRESS_NS,
  },
  {
    name: "all methods on, egress",
    argv: ["-TCl", "--sequence", "--handshake", "--dns", "--quic"],
    hook: "pping_egress",
    packet: opening,
    reachNs: EGRESS_NS,
  },
  { name: "TCP sequence numbers, egress", argv: ["--sequence"], hook: "pping_egress", packet: tcp({}) },
  {
    name: "TCP sequence numbers, ingress",
    argv: ["--sequence"],
    hook: "pping_ingress",
    packet: tcp({ reply: true, ack: 1401, bytes: 0 }),
    first: tcp({}),
  },
  {
    name: "TCP handshake: a SYN",
    argv: ["--handshake"],
    hook: "pping_egress",
    packet: tcp({ ts: [5, 0], flags: 2, bytes: 0 }),
  },
  {
    name: "ICMP echo, egress",
    argv: ["-C"],
    hook: "pping_egress",
    packet: buildPacket({ ethernet: {}, ipv4, transport: { kind: "icmp", type: 8, rest: 65_537 } }),
  },
  { name: "DNS, a query", argv: ["--dns"], hook: "pping_egress", packet: udp(4000, 53, 1) },
  { name: "QUIC spin bit, ingress", argv: ["--quic"], hook: "pping_ingress", packet: udp(443, 4000, 0x60) },
  { name: "with -a: by prefix", argv: ["-a", "1"], hook: "pping_egress", packet: opening },
  { name: "passes by: UDP", argv: [], hook: "pping_egress", packet: udp(4000, 5000, 0) },
];

function packetRows(): string[][] {
  using empty = BpfObject.open(emptySpec).load();
  return cases.map(({ name, argv, hook, packet, first, reachNs }) => {
    using object = load(...argv);
    const options = { data: packet, repeat: REPEAT, dataSizeOut: 0 };
    const own = () => object.program(hook).testRun(options).durationNs;
    const none = () => empty.program("empty_tc").testRun({ ...options, data: opening }).durationNs;
    if (first !== undefined) object.program("pping_egress").testRun({ data: first });
    own();
    const rounds = Array.from({ length: ROUNDS }, () => ({ empty: none(), own: own() }));
    const [emptyNs, ns] = [median(rounds.map((round) => round.empty)), median(rounds.map((round) => round.own))];
    const reach = reachNs === undefined ? ["", ""] : [`${reachNs} ns`, ns <= reachNs ? "yes" : "no"];
    return [name, `${emptyNs} ns`, `${ns} ns`, `${(ns / emptyNs).toFixed(2)} ×`, ...reach];
  });
}

/** Fills the ring with samples of a thousand flows. */
class Samples implements Disposable {
  readonly ring: BpfRingBuffer<PpingEvent>;
  readonly #object = load("-r", "0", "-l");
  readonly #out = tcp({ ts: [0, 1], bytes: 1 });
  readonly #in = tcp({ ts: [1, 0], bytes: 0, reply: true });
  #value = 0;

  constructor() {
    this.ring = this.#object.ringBuffer("events");
    this.#round();
    while (this.ring.read() !== undefined);
  }

  fill(): void {
    for (let i = 0; i < SAMPLES / SAMPLE_FLOWS; i++) this.#round();
  }

  #round(): void {
    this.#value++;
    const [out, back] = [new DataView(this.#out.buffer), new DataView(this.#in.buffer)];
    out.setUint32(ETHERNET_BYTES + 44, this.#value);
    back.setUint32(ETHERNET_BYTES + 48, this.#value);
    const [egress, ingress] = [this.#object.program("pping_egress"), this.#object.program("pping_ingress")];
    for (let flow = 0; flow < SAMPLE_FLOWS; flow++) {
      out.setUint16(ETHERNET_BYTES + 20, 1000 + flow);
      back.setUint16(ETHERNET_BYTES + 22, 1000 + flow);
      egress.testRun({ data: this.#out, dataSizeOut: 0 });
      ingress.testRun({ data: this.#in, dataSizeOut: 0 });
    }
  }

  [Symbol.dispose](): void {
    this.#object.close();
  }
}

/** Samples a second of processor time of this process, all its threads. */
async function rate(samples: Samples, recorder: Recorder, finish: () => Promise<void>): Promise<number> {
  const reader = new NewsReader(ALL_FLOWS);
  const rates: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    samples.fill();
    const before = process.cpuUsage();
    let count = 0;
    for (let batch = samples.ring.read(); batch; batch = samples.ring.read()) {
      count += batch.count;
      recorder.add(reader.read(batch, 0n));
      await new Promise(setImmediate);
    }
    recorder.flush();
    await finish();
    const { user, system } = process.cpuUsage(before);
    // The first round warms up.
    if (round > 0) rates.push(count / ((user + system) / US_PER_S));
  }
  return median(rates);
}

async function sampleRows(): Promise<string[][]> {
  using samples = new Samples();
  const measurement = measurementOf(optionsOf("-r", "0"));
  const nobody = async () => undefined;
  const rows: string[][] = [];
  const add = (name: string, perSecond: number, reach?: number) =>
    rows.push([
      name,
      `${(perSecond / 1000).toFixed(0)} k/s`,
      ...(reach === undefined ? ["", ""] : [`${reach / 1000} k/s`, perSecond >= reach ? "yes" : "no"]),
    ]);
  for (const name of ["standard", "jsonl", "ppviz"] satisfies FormatName[]) {
    const output = fileOutput("/dev/null", name, () => undefined);
    const recorder = new Recorder({ measurement, format: eventFormat(name, false), output, publisher: undefined });
    add(`to standard output, -F ${name}`, await rate(samples, recorder, nobody));
  }
  await using server = await startNatsServer();
  const connection = await connect({ servers: server.url });
  const manager = await connection.jetstreamManager();
  await manager.streams.add({
    name: "WAYMARK_RTT",
    subjects: ["waymark.v1.rtt.*.*"],
    storage: "memory" as StreamConfig["storage"],
  });
  const publisher: Publisher = openAgentPublisher({
    identity: agentIdentity(
      { service: "pping", role: "observer", interface: "eth0", version: "0" },
      { agentId: "bench" },
    ),
    reporting: { report: [server.url], agentId: "bench", spool: undefined, trustClock: false },
    clock: systemClock(),
    counters: () => ({}),
    logger: createLogger({ name: "bench", level: "error" }),
  });
  const options = { measurement, format: eventFormat("standard", false), output: silentOutput(), publisher };
  const delivered = async () => {
    if (!(await publisher.flush({ deadlineMs: 60_000 }))) throw new Error("not delivered");
  };
  add("to NATS, acknowledged", await rate(samples, new Recorder(options), delivered), REACH_SAMPLES);
  const output = fileOutput("/dev/null", "standard", () => undefined);
  add("to both", await rate(samples, new Recorder({ ...options, output }), delivered));
  await publisher.close();
  await connection.close();
  return rows;
}

function memoryRows(): string[][] {
  using object = load("-r", "0");
  const data = tcp({ ts: [0, 1], bytes: 1 });
  const view = new DataView(data.buffer);
  const program = object.program("pping_egress");
  const flows = object.map("flows");
  const empty = flows.info().memoryBytes;
  for (let flow = 0; flow < ALL_FLOWS; flow++) {
    view.setUint32(ETHERNET_BYTES + 12, 0x0a00_0000 + flow);
    program.testRun({ data, dataSizeOut: 0 });
  }
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const sweep = object.program("pping_sweep_flows").testRun({ dataSizeOut: 0 });
  return [
    [`table of flows, ${ALL_FLOWS} in it`, mib(flows.info().memoryBytes)],
    ["the same without any", mib(empty)],
    ["table of identifiers", mib(object.map("stamps").info().memoryBytes)],
    ["a sweep that finds nothing to remove", `${(sweep.durationNs / US_PER_S).toFixed(1)} ms`],
  ];
}

table(["pping, one packet of a known flow", "empty program", "this", "ratio", "to reach", "reached"], packetRows());
process.stdout.write("\n");
table(["samples, a second of processor time", "this", "to reach", "reached"], await sampleRows());
process.stdout.write("\n");
table(["memory and sweeping", "this"], memoryRows());
