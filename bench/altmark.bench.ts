// What altmark costs a packet: averages of BPF_PROG_TEST_RUN over one packet, each beside an empty program that is
// measured around it in the same run. Marking and clearing are measured together (a packet is marked once only) and
// shown as the half of both.
import { BpfObject, monotonicNow, taiNow } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import { buildPacket } from "@waymark/packet";
import { clockOffset } from "@waymark/probe";
import { altmarkBenchSpec } from "../services/altmark/bpf/altmark_bench.gen.ts";
import { type FlowRule, parseFlowRule } from "../services/altmark/src/flow-rule.ts";
import { configure } from "../services/altmark/src/kernel-config.ts";
import { median, table } from "./src/figures.ts";

const REPEAT = 1_000_000;
const ROUNDS = 7;
const DAY_NS = 86_400_000_000_000n;
const SLOTS = 8;

interface Case {
  readonly name: string;
  readonly program: "altmark_both" | "altmark_source" | "altmark_sink";
  readonly packet: Uint8Array;
  readonly rules?: readonly FlowRule[];
  readonly perFlow?: boolean;
  /** As in the design: a factor of the empty program, or nanoseconds in all. */
  readonly reach: { readonly times: number } | { readonly ns: number };
}

const transport = { kind: "udp", sourcePort: 4000, destinationPort: 5000, payload: new Uint8Array(64) } as const;
const ethernet = {};
const ipv4 = buildPacket({ ethernet, ipv4: { source: "10.0.0.1", destination: "10.0.0.2" }, transport });
const ef = buildPacket({ ethernet, ipv4: { source: "10.0.0.1", destination: "10.0.0.2", tos: 0xb8 }, transport });
const ipv6 = buildPacket({ ethernet, ipv6: { source: "2001:db8::1", destination: "2001:db8::2" }, transport });
const rules = Array.from({ length: 16 }, (_, i) =>
  parseFlowRule(`f${i}=dst=10.0.0.0/24,proto=udp,dport=${4985 + i}`, ["default"]),
);

const cases: readonly Case[] = [
  { name: "marks or clears, one flow, IPv4", program: "altmark_both", packet: ipv4, reach: { times: 1.6 } },
  { name: "marks or clears, the last of 16 rules", program: "altmark_both", packet: ipv4, rules, reach: { times: 3 } },
  { name: "marks or clears, --per-flow", program: "altmark_both", packet: ipv4, perFlow: true, reach: { ns: 130 } },
  { name: "marks or clears, one flow, IPv6", program: "altmark_both", packet: ipv6, reach: { times: 2 } },
  { name: "passes by: DSCP in use at the source", program: "altmark_source", packet: ef, reach: { times: 1.2 } },
  { name: "passes by: unmarked at the sink", program: "altmark_sink", packet: ipv4, reach: { times: 1.2 } },
];

function load({ rules: flowRules = [], perFlow = false }: Case) {
  using open = BpfObject.open(altmarkBenchSpec);
  configure(open, {
    intervalNs: DAY_NS,
    guardNs: DAY_NS / 4n,
    l2Length: 14,
    slots: SLOTS,
    rules: flowRules,
    perFlow,
    leased: false,
    keepMarks: false,
    isSink: false,
  });
  const object = open.load();
  const tables = object.map("flow_tables");
  for (let slot = 0; slot < SLOTS; slot++) tables.set(slot, tables.createInner({ maxEntries: 65_536 }));
  const noon = 10n * DAY_NS + DAY_NS / 10n;
  object.map("control").set(0, {
    clock_offset_ns: noon - taiNow(),
    lease_until_ns: 2n ** 63n,
    tai_minus_monotonic_ns: clockOffset(taiNow, monotonicNow),
  });
  object.program("altmark_arm").testRun({ ctx: { mark: 0 } });
  return object;
}

using empty = BpfObject.open(emptySpec).load();
const baseline = () => empty.program("empty_tc").testRun({ data: ipv4, repeat: REPEAT, dataSizeOut: 0 }).durationNs;
const rows = cases.map((item) => {
  using object = load(item);
  const run = () =>
    object.program(item.program).testRun({ data: item.packet, repeat: REPEAT, dataSizeOut: 0 }).durationNs;
  run();
  const rounds = Array.from({ length: ROUNDS }, () => ({ empty: baseline(), own: run() }));
  const emptyNs = median(rounds.map((round) => round.empty));
  const bothNs = median(rounds.map((round) => round.own));
  const ns = item.program === "altmark_both" ? emptyNs + (bothNs - emptyNs) / 2 : bothNs;
  const reach = "times" in item.reach ? `${item.reach.times} ×` : `${item.reach.ns} ns`;
  const reached = "times" in item.reach ? ns / emptyNs <= item.reach.times : ns <= item.reach.ns;
  return [
    item.name,
    `${emptyNs} ns`,
    `${ns.toFixed(0)} ns`,
    `${(ns / emptyNs).toFixed(2)} ×`,
    reach,
    reached ? "yes" : "no",
  ];
});
table(["altmark, one packet", "empty program", "this", "ratio", "to reach", "reached"], rows);
