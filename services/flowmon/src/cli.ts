import { agentOptions, type CommandSpec, DEFAULT_LISTEN_HOST } from "@waymark/agent";
import { parseRtp } from "./config.ts";
import { VERSION } from "./version.ts";

const DESCRIPTION = `
How fast and how evenly each flow comes in: throughput (bytes of IP packets), goodput (payload, nothing twice), the gaps
between packets and their deviation, bursts, and, with -packet_loss, what sequence numbers say of loss. TCP, UDP and
ICMP, IPv4 and IPv6, counted in the kernel.

config.json says which packets are measured (RULES), where UDP and ICMP have their sequence number (PATTERN, OFFSET) and
what is printed (DISPLAY). It is read again on SIGHUP.
`.trim();

/** The command line of `flowmon`. */
export const flowmonCommand = {
  name: "flowmon",
  version: VERSION,
  summary: "Throughput, goodput, jitter and loss of every flow",
  description: DESCRIPTION,
  options: {
    interface: {
      type: "string",
      aliases: ["-i"],
      multiple: true,
      separator: ",",
      placeholder: "IF",
      defaultText: "all physical interfaces",
      help: "Measure what arrives at these interfaces.",
    },
    interval: {
      type: "duration",
      unit: "s",
      aliases: ["-t"],
      default: "1",
      min: "100ms",
      max: "24h",
      help: "How often throughput and goodput are shown.",
    },
    bits: { type: "boolean", aliases: ["-b"], help: "Show bits a second instead of bytes a second." },
    jitter: {
      type: "duration",
      unit: "ms",
      aliases: ["-j"],
      default: "0",
      max: "24h",
      help: "How often the jitter is shown; 0: together with the rest.",
    },
    "packet-loss": {
      type: "boolean",
      aliases: ["-packet_loss", "--packet_loss"],
      help: "Look at sequence numbers: those of TCP, and of UDP and ICMP where config.json says where they are.",
    },
    conf: {
      type: "string",
      aliases: ["-conf"],
      default: "config.json",
      help: "Rules, numbers and display; only a file that is named must be there.",
    },
    "server-port": {
      type: "hostport",
      defaultHost: DEFAULT_LISTEN_HOST,
      aliases: ["-server_port", "--server_port"],
      defaultText: "8080 with MONITOR_SERVER",
      help: "Serve the gauges for Prometheus there; HOST is localhost unless given.",
    },
    "test-throughput": {
      type: "boolean",
      aliases: ["-test_throughput", "--test_throughput"],
      help: "Print the lines of throughput alone.",
    },
    "test-jitter": {
      type: "boolean",
      aliases: ["-test_jitter", "--test_jitter"],
      help: "Print the lines of jitter alone.",
    },
    direction: {
      type: "enum",
      choices: ["ingress", "egress", "both"],
      default: "ingress",
      help: "Measure what arrives, what leaves, or both.",
    },
    rtp: {
      type: "string",
      multiple: true,
      placeholder: "auto|PORT[:HZ]",
      defaultText: "off",
      help: "RFC 3550 jitter of RTP: recognised (auto), or what goes to this UDP port, with the clock rate where the payload type does not tell it.",
      check: (text) => (parseRtp(text) === undefined ? "is not auto, PORT or PORT:HZ" : undefined),
    },
    top: {
      type: "integer",
      default: "20",
      min: 0,
      max: 1_000_000,
      unit: "flows",
      help: "Rows of the table of flows; 0: no table.",
    },
    "table-size": {
      type: "integer",
      default: "65536",
      min: 1,
      max: 1_048_576,
      unit: "flows",
      help: "Flows of an interface at the most; what is beyond is counted by protocol.",
    },
    "idle-timeout": {
      type: "duration",
      unit: "s",
      default: "60",
      min: "3s",
      max: "10m",
      help: "A flow without a packet for so long is forgotten.",
    },
    "metric-flows": {
      type: "integer",
      default: "100",
      min: 0,
      max: 10_000,
      unit: "flows",
      help: "Flows with labels in the gauges at the most: the busiest.",
    },
    ...agentOptions,
  },
  examples: [
    { command: "flowmon -i eth0", help: "Each second: rates, jitter and the busiest flows that come in by eth0." },
    { command: "flowmon -i eth0,eth1 -b -t 2 -j 500", help: "Bits, every 2 s; jitter every half second." },
    { command: "flowmon -i eth0 -packet_loss -conf loss.json", help: "With what the sequence numbers say." },
    { command: "flowmon -i eth0 --rtp 5004:48000 --format jsonl", help: "Jitter of an Opus stream as JSON." },
    {
      command: "flowmon -i eth0 -server_port 8080 --report nats://10.0.0.1:4222",
      help: "For Prometheus and a collector.",
    },
  ],
} as const satisfies CommandSpec;
