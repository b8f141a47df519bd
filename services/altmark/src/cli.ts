import { agentOptions, type CommandSpec, type OptionTable } from "@waymark/agent";
import { VERSION } from "./version.ts";

const DESCRIPTION = `
Packet loss between two hosts, exact to the packet, by alternate marking (RFC 9341). The source writes DSCP 2 or 3,
which alternates with every interval, into outgoing packets whose DSCP is 0, and counts them. The sink counts the
marked packets that arrive and sets DSCP 0 again. The collector subtracts block by block.

Without --flow everything that leaves by the interface is counted, which is right only when all of it passes the sink;
otherwise name what passes it with --flow, alike at both ends. Marks are cleaned by a sink alone: run one wherever the
packets arrive. ECN bits are never touched.
`.trim();

const options = {
  interval: {
    type: "duration",
    unit: "s",
    aliases: ["-i"],
    default: "10",
    min: "100ms",
    max: "24h",
    help: "Length of a block; the same at both ends.",
  },
  path: {
    type: "string",
    multiple: true,
    placeholder: "NAME",
    defaultText: "default",
    help: "What both ends measure together. Several: each needs its own --flow 'PATH/NAME=…' with CIDRs that do not overlap.",
  },
  flow: {
    type: "string",
    multiple: true,
    placeholder: "RULE",
    defaultText: "one flow of all packets",
    help: "Measure these packets: 'NAME=src=CIDR,dst=CIDR,proto=udp,sport=N,dport=N', all parts optional. The first match wins. Fragments have no ports.",
  },
  "per-flow": { type: "boolean", help: "Tell every 5-tuple apart." },
  "table-size": {
    type: "integer",
    default: "65536",
    min: 1,
    max: 16_777_216,
    unit: "flows",
    help: 'With --per-flow: flows in a block at the most; what is beyond is counted in the flow "other".',
  },
  guard: {
    type: "duration",
    unit: "ms",
    defaultText: "a quarter of the interval",
    help: "Guard band d: clock difference and delay up to this are tolerated. Below half the interval.",
  },
  debug: { type: "boolean", aliases: ["-d"], env: false, help: "Like --log-level debug." },
} as const satisfies OptionTable;

const positionals = [
  {
    name: "interface",
    type: "string",
    optional: true,
    defaultText: "the interface of the default route",
    help: "The interface that the packets leave (source) or enter by (sink).",
  },
  { name: "collector", type: "string", optional: true, help: "Report to this collector over gRPC." },
  { name: "port", type: "port", optional: true, withPrevious: true, help: "The collector's gRPC port." },
] as const;

/** The command line of `altmark`. */
export const altmarkCommand = {
  name: "altmark",
  version: VERSION,
  summary: "Packet loss between two hosts by alternate marking (RFC 9341)",
  description: DESCRIPTION,
  commands: {
    source: {
      summary: "Mark and count the packets that leave by an interface",
      options: { ...options, ...agentOptions },
      positionals,
      examples: [
        { command: "altmark source eth0 10.0.0.1 12345", help: "Report to the collector on 10.0.0.1." },
        {
          command:
            "altmark source eth0 --flow 'web=dst=192.0.2.0/24,proto=tcp,dport=443' --report nats://10.0.0.1:4222",
          help: "HTTPS to 192.0.2.0/24 alone, reported over NATS.",
        },
        {
          command: "altmark source eth0 -i 1 --per-flow --format jsonl",
          help: "Every connection each second, here only.",
        },
      ],
    },
    sink: {
      summary: "Count the marked packets that enter by an interface, and clean them",
      options: {
        ...options,
        "keep-marks": { type: "boolean", help: "Leave the marks in the packets, for a further sink behind this one." },
        ...agentOptions,
      },
      positionals,
      examples: [
        { command: "altmark sink eth0 10.0.0.1 12345", help: "Report to the collector on 10.0.0.1." },
        { command: "altmark sink eth0 --path backbone -i 1", help: "One path by name, blocks of a second." },
      ],
    },
  },
} as const satisfies CommandSpec;
