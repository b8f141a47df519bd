// What stamp costs a packet (DESIGN §5, "stamp"), and how exact it is. First averages of BPF_PROG_TEST_RUN over one packet,
// each beside an empty program in the same run; then a reflector that lives on a veth, beside ping and an echo in user
// space in the same run.
import { existsSync, writeFileSync } from "node:fs";
import { BpfObject } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import { buildPacket } from "@waymark/packet";
import { ping } from "@waymark/testkit";
import { stampBenchSpec } from "../services/stamp/bpf/stamp_bench.gen.ts";
import { sealPacket } from "../services/stamp/src/codec/hmac.ts";
import { hmacState } from "../services/stamp/src/codec/hmac-state.ts";
import { encodeSenderPacket } from "../services/stamp/src/codec/sender-packet.ts";
import { ANY_SSID, configureReflector, setKeys, setOwnAddresses } from "../services/stamp/src/reflector-programs.ts";
import { DEVICE, FAR, StampPath } from "../services/stamp/test/stamp-path.ts";
import { median, table } from "./src/figures.ts";
import { isolate } from "./src/isolation.ts";
import { programCost } from "./src/process-use.ts";

isolate();

const REPEAT = 1_000_000;
const ROUNDS = 7;
const PORT = 862;
const PASSES_BY = 1.2;
const REFLECTS_NS = 260;
const AUTHENTICATED_NS = 1800;
const STATS_SWITCH = "/proc/sys/kernel/bpf_stats_enabled";
const ECHO_PORT = 7007;
const PACKETS = 500;
const INTERVAL_S = 0.01;
const key = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const [HERE, THERE] = ["192.0.2.1", "192.0.2.2"];

function payloadOf(authenticated: boolean): Uint8Array {
  const mode = authenticated ? "authenticated" : "unauthenticated";
  const payload = encodeSenderPacket(mode, { sequence: 7, timestamp: 1n, errorEstimate: 0x9501, ssid: 9 });
  if (authenticated) sealPacket(payload, key);
  return payload;
}

/** A request whose two ends are both ours; from a port that is not for the packet that passes by. */
function packet(payload: Uint8Array, port = PORT): Uint8Array {
  return buildPacket({
    ethernet: { destination: "00:00:00:00:00:00" },
    ipv4: { source: HERE, destination: THERE },
    transport: { kind: "udp", sourcePort: PORT, destinationPort: port, payload },
  });
}

function load(authenticated: boolean, stateful: boolean) {
  using open = BpfObject.open(stampBenchSpec);
  configureReflector(open, {
    l2Length: 14,
    ifindex: 1,
    port: PORT,
    authenticated,
    stateful,
    sessions: 1024,
    allowed: [],
    ratePerSecond: 0,
    viaStack: false,
    leased: false,
    format: "ntp",
    dscp: undefined,
    copyEcn: false,
    observe: false,
    mark: 0x57a30001,
    cookie: 0n,
  });
  const object = open.load();
  setOwnAddresses(object, [HERE, THERE]);
  setKeys(object, new Map([[ANY_SSID, hmacState(key)]]));
  const octets = new Uint8Array(112);
  octets.set(payloadOf(authenticated));
  object.map("original").set(0, { octets });
  return object;
}

using empty = BpfObject.open(emptySpec).load();
const tcp = buildPacket({
  ethernet: {},
  ipv4: { source: HERE, destination: THERE },
  transport: { kind: "tcp", sourcePort: 5000, destinationPort: 443, payload: new Uint8Array(1400) },
});

interface Cost {
  readonly emptyNs: number;
  readonly ns: number;
}

/** Median of a program on a packet, and of the empty program around it. */
function cost(
  object: ReturnType<typeof load>,
  program: "stamp_reflect" | "stamp_answer" | "stamp_in" | "stamp_out" | "stamp_undo",
  data: Uint8Array,
): Cost {
  const run = (repeat = REPEAT) => object.program(program).testRun({ data, repeat, dataSizeOut: 0 });
  run();
  const rounds = Array.from({ length: ROUNDS }, () => ({
    empty: empty.program("empty_tc").testRun({ data, repeat: REPEAT, dataSizeOut: 0 }).durationNs,
    own: run().durationNs,
  }));
  return { emptyNs: median(rounds.map((round) => round.empty)), ns: median(rounds.map((round) => round.own)) };
}

const rows: string[][] = [];
const row = (name: string, emptyNs: number, ns: number, reach: string, reached: boolean) =>
  rows.push([
    name,
    `${emptyNs.toFixed(0)} ns`,
    `${ns.toFixed(0)} ns`,
    `${(ns / emptyNs).toFixed(2)} ×`,
    reach,
    reached ? "yes" : "no",
  ]);

{
  using object = load(false, false);
  for (const [name, program, data] of [
    ["passes by at ingress: TCP", "stamp_reflect", tcp],
    ["passes by at ingress: UDP to another port", "stamp_reflect", packet(payloadOf(false), 5000)],
    ["passes by at egress", "stamp_answer", packet(payloadOf(false))],
  ] as const) {
    const { emptyNs, ns } = cost(object, program, data);
    row(name, emptyNs, ns, `${PASSES_BY} ×`, ns / emptyNs <= PASSES_BY);
  }
}
for (const [authenticated, stateful] of [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const) {
  using object = load(authenticated, stateful);
  const data = packet(payloadOf(authenticated));
  const { retval } = object.program("stamp_in").testRun({ data });
  // Repeated requests are replays where that is looked at: what is measured is refusing them.
  const refused = authenticated && stateful;
  if (retval !== 7) throw new Error(`the benchmark's request was not answered (verdict ${retval})`);
  const undo = cost(object, "stamp_undo", data);
  const into = cost(object, "stamp_in", data);
  const out = cost(object, "stamp_out", data);
  const inNs = into.ns - (undo.ns - undo.emptyNs);
  const name = `${authenticated ? "authenticated" : "unauthenticated"}, ${stateful ? "stateful" : "stateless"}`;
  if (authenticated) {
    row(
      `${name}: ${refused ? "refuses a replay" : "ingress (checks, T2)"}`,
      into.emptyNs,
      inNs,
      `${AUTHENTICATED_NS} ns`,
      inNs <= AUTHENTICATED_NS,
    );
    row(`${name}: egress (T3, signs)`, out.emptyNs, out.ns, `${AUTHENTICATED_NS} ns`, out.ns <= AUTHENTICATED_NS);
  } else {
    row(`${name}: ingress (T2, turns round)`, into.emptyNs, inNs, "–", true);
    row(`${name}: egress (T3)`, out.emptyNs, out.ns, "–", true);
    row(
      `${name}: reflects, both together`,
      into.emptyNs,
      inNs + out.ns,
      `${REFLECTS_NS} ns`,
      inNs + out.ns <= REFLECTS_NS,
    );
  }
}
table(["stamp, one packet", "empty program", "this", "ratio", "to reach", "reached"], rows);

const ECHO = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (octets, from) => socket.send(octets, from.port, from.address));
  socket.bind(${ECHO_PORT}, () => console.log("ready"));`;
/** Round trips of an echo in user space, by clocks of user space; microseconds. */
const ECHO_CLIENT = `
  const socket = require("node:dgram").createSocket("udp4");
  const rtts = [];
  let left = ${PACKETS};
  socket.on("message", (octets) => {
    rtts.push(Number(process.hrtime.bigint() - octets.readBigUInt64BE()) / 1e3);
    if (rtts.length === ${PACKETS}) { console.log(JSON.stringify(rtts)); socket.close(); clearInterval(timer); }
  });
  const timer = setInterval(() => {
    if (left-- <= 0) return;
    const octets = Buffer.alloc(44);
    octets.writeBigUInt64BE(process.hrtime.bigint());
    socket.send(octets, ${ECHO_PORT}, "${FAR[0]}");
  }, ${INTERVAL_S * 1000});`;

const percentile = (figures: readonly number[], percent: number) =>
  figures.toSorted((a, b) => a - b)[Math.min(figures.length - 1, Math.floor((percent / 100) * figures.length))] ??
  Number.NaN;
const us = (figure: number) => `${figure.toFixed(1)} µs`;

await using path = await StampPath.create();
await path.acquaint();
const hadStats = existsSync(STATS_SWITCH);
if (hadStats) writeFileSync(STATS_SWITCH, "1");
const reflector = await path.reflector();
const echo = path.far.spawn([process.execPath, "-e", ECHO]);
await echo.waitForLine(/ready/, { deadlineMs: 10_000 });
const argv = [FAR[0], "-c", String(PACKETS), "-i", String(INTERVAL_S), "--samples"];
const { answers } = await path.sender(argv);
const { rttsMs } = await ping(path.near, FAR[0], { count: PACKETS, intervalMs: INTERVAL_S * 1000 });
const { stdout } = await path.near.exec([process.execPath, "-e", ECHO_CLIENT], { deadlineMs: 60_000 });
const nanoseconds = (name: "round_trip_ns" | "residence_ns") => answers.map((answer) => (answer[name] ?? 0) / 1e3);
const figures: readonly (readonly [string, readonly number[]])[] = [
  ["stamp, round trip without residence", nanoseconds("round_trip_ns")],
  ["stamp, residence in the reflector (T3 − T2)", nanoseconds("residence_ns")],
  ["ping", rttsMs.map((ms) => ms * 1e3)],
  ["echo in user space", JSON.parse(stdout) as number[]],
];
process.stdout.write("\n");
table(
  [`on one veth, ${PACKETS} packets ${INTERVAL_S * 1000} ms apart`, "least", "middle", "99 %", "longest"],
  figures.map(([name, all]) => [name, ...[0, 50, 99, 100].map((percent) => us(percentile(all, percent)))]),
);
if (hadStats) {
  const ns = programCost(reflector.pid).toFixed(0);
  writeFileSync(STATS_SWITCH, "0");
  process.stdout.write(
    `\nreflector on ${DEVICE}, live: ${ns} ns a run of its busiest program (cold caches, with the kernel's own count)\n`,
  );
}
