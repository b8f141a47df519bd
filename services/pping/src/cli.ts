import { agentOptions, type CommandSpec, type OptionTable } from "@waymark/agent";
import { VERSION } from "./version.ts";

const DESCRIPTION = `
Round-trip times of the traffic that passes an interface anyway, without a single probe packet: the kernel stores when an
identifier leaves (a TCP time stamp, a sequence number, an echo, a query) and takes the time again when its answer comes.
It works at the ends and anywhere in between that both directions pass.

A line a sample: time, round-trip time, the flow's least one, and the flow, its far end first. Samples whose answer came
in by the interface are the network's beyond it; with --include-local also those of this side of it.
`.trim();

const WEEK = "168h";

const options = {
  interface: {
    type: "string",
    aliases: ["-i"],
    placeholder: "IFACE",
    defaultText: "the interface of the default route",
    help: "The interface to watch.",
  },
  "rate-limit": {
    type: "duration",
    unit: "ms",
    aliases: ["-r"],
    default: "100",
    max: WEEK,
    help: "At most one sample in this time for each direction of a flow; 0: no limit.",
  },
  "rtt-rate": {
    type: "number",
    aliases: ["-R"],
    default: "0",
    min: 0,
    max: 10_000,
    help: "At most one sample in so many round-trip times of the flow, once one is known; 0: --rate-limit alone.",
  },
  "rtt-type": {
    type: "enum",
    choices: ["min", "smoothed"],
    aliases: ["-t"],
    default: "min",
    help: "Which round-trip time --rtt-rate means.",
  },
  "cleanup-interval": {
    type: "duration",
    unit: "s",
    aliases: ["-c"],
    default: "1",
    max: WEEK,
    help: "How often flows and identifiers that are over are removed; 0: never.",
  },
  format: {
    type: "enum",
    choices: ["standard", "json", "jsonl", "ppviz", "text"],
    aliases: ["-F"],
    default: "standard",
    help: "How samples and flow events are written; text, as other agents have it, is standard.",
  },
  "ingress-hook": {
    type: "enum",
    choices: ["tc", "xdp"],
    aliases: ["-I"],
    default: "tc",
    help: "Where incoming packets are seen.",
  },
  "xdp-mode": {
    type: "enum",
    choices: ["unspecified", "native", "generic"],
    aliases: ["-x"],
    default: "native",
    help: "With -I xdp: in the driver, before it (generic, slower), or whichever the driver has.",
  },
  tcp: {
    type: "boolean",
    aliases: ["-T"],
    help: "TCP by its time stamps; the default if no other method is asked for.",
  },
  icmp: { type: "boolean", aliases: ["-C"], help: "ICMP and ICMPv6 echo." },
  sequence: {
    type: "boolean",
    help: "TCP without time stamps by sequence and acknowledgement numbers; nothing of what was sent again.",
  },
  handshake: { type: "boolean", help: "TCP handshakes: SYN to SYN/ACK (far side), SYN/ACK to ACK (near side)." },
  dns: { type: "boolean", help: "DNS over UDP, by message identifier." },
  quic: { type: "boolean", help: "QUIC (UDP port 443) by its spin bit; each sample says how sure it is." },
  "include-local": {
    type: "boolean",
    aliases: ["-l"],
    help: "Also the near side: from a packet that enters for this host to its answer.",
  },
  "include-syn": {
    type: "boolean",
    aliases: ["-s", "--include-SYN"],
    help: "Track SYN packets; half-open connections may then fill the flow table.",
  },
  aggregate: {
    type: "duration",
    unit: "s",
    aliases: ["-a"],
    placeholder: "SEC",
    min: "1s",
    max: WEEK,
    help: "Instead of samples and events: round-trip times and traffic by prefix, every SEC seconds.",
  },
  "aggregate-subnets-v4": {
    type: "integer",
    aliases: ["-4"],
    default: "24",
    min: 0,
    max: 32,
    unit: "bits",
    help: "Length of an IPv4 prefix.",
  },
  "aggregate-subnets-v6": {
    type: "integer",
    aliases: ["-6"],
    default: "48",
    min: 0,
    max: 64,
    unit: "bits",
    help: "Length of an IPv6 prefix.",
  },
  "aggregate-reverse": {
    type: "boolean",
    help: "Count a sample for the prefix that the answer goes to, not for the one that it comes from.",
  },
  "aggregate-timeout": {
    type: "duration",
    unit: "s",
    default: "30",
    max: WEEK,
    help: "Accepted, and without effect: prefixes without traffic take no room.",
  },
  write: { type: "string", aliases: ["-w"], placeholder: "FILE", help: "Write to this file; SIGHUP opens it anew." },
  "seed-format": {
    type: "boolean",
    help: "The lines of the first version: without protocol and match_on_egress, times with all their digits.",
  },
  quiet: { type: "boolean", aliases: ["-q"], help: "Write no samples and events; for --report alone." },
  interval: {
    type: "duration",
    unit: "s",
    default: "10",
    min: "1s",
    max: "24h",
    help: "How often summaries are reported and what found no room is told.",
  },
  flows: {
    type: "integer",
    default: "131072",
    min: 1,
    max: 16_777_216,
    unit: "flows",
    help: "Flows at once at the most; packets of others are counted.",
  },
  stamps: {
    type: "integer",
    default: "131072",
    min: 1,
    max: 16_777_216,
    unit: "identifiers",
    help: "Identifiers that wait for an answer at the most.",
  },
  prefixes: {
    type: "integer",
    default: "16384",
    min: 1,
    max: 16_777_216,
    unit: "prefixes",
    help: "With --aggregate: prefixes in an interval at the most; the rest is counted as 0.0.0.0/0 or ::/0.",
  },
  wait: { type: "boolean", help: "Wait for the interface where it is not there, and again when it disappears." },
  force: { type: "boolean", aliases: ["-f"], env: false, help: "Accepted, and without effect." },
} as const satisfies OptionTable;

/** The command line of `pping`. */
export const ppingCommand = {
  name: "pping",
  version: VERSION,
  summary: "Passive round-trip times of the traffic of an interface",
  description: DESCRIPTION,
  options: { ...agentOptions, ...options },
  examples: [
    { command: "pping -i eth0", help: "TCP by time stamps, ten samples a second and flow at most." },
    { command: "pping -i eth0 -TC -r 0 -F jsonl", help: "TCP and ping, every sample, as JSON lines." },
    { command: "pping -i eth0 --handshake --dns --quic -q --report nats://10.0.0.1:4222", help: "Reported only." },
    { command: "pping -i eth0 -a 10 -4 24 -6 48", help: "A line a prefix every ten seconds." },
  ],
} as const satisfies CommandSpec;

/** The options of pping itself, beside those of every agent. */
export const ppingOptions: OptionTable = options;
