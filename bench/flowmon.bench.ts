// What flowmon costs a packet: averages of BPF_PROG_TEST_RUN over one packet of a known flow, each beside an empty program
// that is measured around it in the same run, with each feature on and off.
import { BpfObject } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import { buildPacket } from "@waymark/packet";
import { flowmonSpec } from "../services/flowmon/bpf/flowmon.gen.ts";
import { type ConfigFile, NO_CONFIG_FILE } from "../services/flowmon/src/config-file.ts";
import { configure, type KernelConfig } from "../services/flowmon/src/kernel-config.ts";
import { kernelSettings } from "../services/flowmon/src/kernel-settings.ts";
import { parseRule } from "../services/flowmon/src/rule.ts";
import { median, table } from "./src/figures.ts";

const REPEAT = 1_000_000;
const ROUNDS = 7;
/** No interval ends while it is measured. */
const NEVER_NS = 1n << 62n;

interface Case {
  readonly name: string;
  readonly packet: Uint8Array;
  readonly config?: Partial<KernelConfig>;
  readonly file?: Partial<ConfigFile>;
  /** Nanoseconds in all, as in the design. */
  readonly reach?: number;
}

const ethernet = {};
const ipv4 = { source: "10.0.0.1", destination: "10.0.0.2" };
const ports = { sourcePort: 4000, destinationPort: 5000 };
const udp = (payload: Uint8Array) => buildPacket({ ethernet, ipv4, transport: { kind: "udp", ...ports, payload } });
const small = udp(new Uint8Array(64));
const tcp = buildPacket({ ethernet, ipv4, transport: { kind: "tcp", ...ports, payload: new Uint8Array(1400) } });
const ipv6 = buildPacket({
  ethernet,
  ipv6: { source: "2001:db8::1", destination: "2001:db8::2" },
  transport: { kind: "udp", ...ports, payload: new Uint8Array(64) },
});
const rtp = udp(Uint8Array.from({ length: 172 }, (_, at) => (at === 0 ? 0x80 : 0)));
/** The worst: every octet may begin the pattern, none does. A test run takes no longer packet. */
const deceptive = udp(new Uint8Array(3300).fill(0xde));
const arp = new Uint8Array([...new Uint8Array(12), 8, 6, ...new Uint8Array(46)]);

const byOffset = { place: { pattern: undefined, offset: 0, octets: 4, littleEndian: false, step: 1n } } as const;
const byPattern = { place: { ...byOffset.place, pattern: 0xdeadbeef } } as const;
const bare = { gaps: false, bursts: false };
const rules = Array.from({ length: 16 }, (_, i) => parseRule(`- 10.0.0.0/24 - ${4985 + i} UDP`));

const cases: readonly Case[] = [
  { name: "rates alone", packet: small, config: bare },
  { name: "and gaps", packet: small, config: { ...bare, gaps: true } },
  { name: "and bursts (all but RTP and loss), UDP", packet: small, reach: 200 },
  { name: "the same, IPv6", packet: ipv6, reach: 200 },
  { name: "the same, TCP with goodput", packet: tcp, reach: 200 },
  { name: "the same, the last of 16 rules", packet: small, file: { rules }, reach: 200 },
  { name: "and loss: TCP", packet: tcp, config: { loss: true }, reach: 260 },
  { name: "and loss: number at an offset", packet: small, config: { loss: true }, file: byOffset, reach: 260 },
  {
    name: "and loss: nothing to find in 3 octets",
    packet: udp(new Uint8Array(3)),
    config: { loss: true },
    file: byOffset,
  },
  {
    name: "and loss: behind a pattern, first in 64 octets",
    packet: udp(withPattern(64)),
    config: { loss: true },
    file: byPattern,
  },
  {
    name: "and loss: pattern absent in 1400 octets",
    packet: udp(new Uint8Array(1400)),
    config: { loss: true },
    file: byPattern,
  },
  { name: "and loss: pattern almost everywhere in 3300", packet: deceptive, config: { loss: true }, file: byPattern },
  {
    name: "and RTP, of a named port",
    packet: rtp,
    config: { rtp: { recognise: false, ports: [{ port: 5000, rate: 8000 }] } },
  },
  { name: "passes by: ARP", packet: arp },
];

function withPattern(size: number): Uint8Array {
  const payload = new Uint8Array(size);
  payload.set([0xde, 0xad, 0xbe, 0xef]);
  return payload;
}

function load({ config = {}, file = {} }: Case) {
  using open = BpfObject.open(flowmonSpec);
  const rtpOff = { recognise: false, ports: [] };
  const preset = { l2Length: 14, gaps: true, bursts: true, loss: false, rtp: rtpOff, own: true, tableSize: 65_536 };
  configure(open, { ...preset, ...config });
  const object = open.load();
  const settings = kernelSettings({ ...NO_CONFIG_FILE, ...file }, { place: 1, rules: 1 });
  object.data.set({ settings: [settings, settings], flowmon_turn: NEVER_NS | 1n });
  return object;
}

using empty = BpfObject.open(emptySpec).load();
const rows = cases.map((item) => {
  using object = load(item);
  const options = { data: item.packet, repeat: REPEAT, dataSizeOut: 0 };
  const run = () => object.program("flowmon_ingress").testRun(options).durationNs;
  run();
  const rounds = Array.from({ length: ROUNDS }, () => ({
    empty: empty.program("empty_tc").testRun(options).durationNs,
    own: run(),
  }));
  const emptyNs = median(rounds.map((round) => round.empty));
  const ns = median(rounds.map((round) => round.own));
  const reached = item.reach === undefined ? "" : ns <= item.reach ? "yes" : "no";
  const reach = item.reach === undefined ? "" : `${item.reach} ns`;
  return [item.name, `${emptyNs} ns`, `${ns} ns`, `${(ns / emptyNs).toFixed(2)} ×`, reach, reached];
});
table(["flowmon, one packet", "empty program", "this", "ratio", "to reach", "reached"], rows);
