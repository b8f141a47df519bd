import { agentOptions } from "../agent-options.ts";
import type { CommandSpec } from "./command-spec.ts";
import { parseCommand } from "./parse.ts";

// The command lines of the five tools that Waymark succeeds, to the letter.

const point = {
  summary: "an end of a path",
  positionals: [
    { name: "interface", placeholder: "IFACE", type: "string", help: "interface" },
    { name: "collector", type: "string", optional: true, env: false, help: "the collector's host" },
    { name: "port", type: "port", optional: true, withPrevious: true, env: false, help: "the collector's port" },
  ],
} as const;

const altmark = {
  name: "altmark",
  version: "0.1.0",
  summary: "packet loss",
  options: {
    interval: { type: "duration", unit: "s", aliases: ["-i"], default: "10", min: "100ms", help: "block length" },
    debug: { type: "boolean", aliases: ["-d"], help: "say more" },
    "bpf-debug": { type: "integer", default: "0", help: "as the seed" },
  },
  commands: { source: point, sink: point },
} as const satisfies CommandSpec;

const collector = {
  name: "collector",
  version: "0.1.0",
  summary: "joins",
  positionals: [{ name: "grpc-port", type: "port", default: "12345", help: "gRPC ingest" }],
  options: { listen: { type: "hostport", defaultHost: "localhost", default: "localhost:8080", help: "queries" } },
} as const satisfies CommandSpec;

const histogram = { type: "integer", values: ["BINS", "MIN", "MAX"], help: "histogram in ms" } as const;

const stamp = {
  name: "stamp",
  version: "0.1.0",
  summary: "delay",
  options: {
    hist: histogram,
    histpath: { type: "string", default: "./hist", help: "file" },
    debug: { type: "boolean", help: "say more" },
    "enforce-sync": { type: "boolean", help: "sync" },
    "enforce-ptp": { type: "boolean", help: "ptp" },
  },
  commands: {
    sender: {
      summary: "sends",
      positionals: [
        { name: "device", placeholder: "DEV", type: "string", help: "interface" },
        { name: "host", type: "string", multiple: true, help: "reflectors" },
      ],
      options: {
        source: { type: "port", aliases: ["-s"], default: "862", help: "source port" },
        destination: { type: "port", aliases: ["-d"], default: "862", help: "destination port" },
        count: { type: "integer", aliases: ["-c"], default: "0", min: 0, help: "packets" },
        interval: { type: "duration", unit: "s", aliases: ["-i"], default: "1", help: "interval" },
        timeout: { type: "duration", unit: "s", aliases: ["-w"], default: "1", help: "timeout" },
      },
    },
    reflector: {
      summary: "reflects",
      positionals: [{ name: "device", placeholder: "DEV", type: "string", help: "interface" }],
      options: {
        port: { type: "port", aliases: ["-p"], default: "862", help: "port" },
        output: { type: "boolean", help: "print" },
      },
    },
  },
} as const satisfies CommandSpec;

const flowmon = {
  name: "flowmon",
  version: "0.1.0",
  summary: "throughput",
  options: {
    interface: { type: "string", aliases: ["-i"], multiple: true, separator: ",", help: "interfaces" },
    interval: { type: "duration", unit: "s", aliases: ["-t"], default: "1", help: "interval" },
    bits: { type: "boolean", aliases: ["-b"], help: "bits instead of bytes" },
    jitter: { type: "duration", unit: "ms", aliases: ["-j"], default: "0", help: "interval" },
    test_throughput: { type: "boolean", aliases: ["-test_throughput"], help: "test" },
    test_jitter: { type: "boolean", aliases: ["-test_jitter"], help: "test" },
    packet_loss: { type: "boolean", aliases: ["-packet_loss"], help: "loss" },
    server_port: { type: "port", aliases: ["-server_port"], help: "gauges" },
    conf: { type: "string", aliases: ["-conf"], default: "config.json", help: "file" },
  },
} as const satisfies CommandSpec;

const tcflows = {
  name: "tcflows",
  version: "0.1.0",
  summary: "flows",
  options: {
    iface: { type: "string", aliases: ["-iface"], multiple: true, help: "interface" },
    freq: { type: "duration", unit: "s", aliases: ["-freq"], default: "5s", help: "how often" },
  },
} as const satisfies CommandSpec;

const pping = {
  name: "pping",
  version: "0.1.0",
  summary: "round trips",
  options: {
    interface: { type: "string", aliases: ["-i"], required: true, help: "interface" },
    "rate-limit": { type: "duration", unit: "ms", aliases: ["-r"], default: "100", help: "ms" },
    "rtt-rate": { type: "number", aliases: ["-R"], default: "0", help: "of the RTT" },
    "rtt-type": { type: "enum", choices: ["min", "smoothed"], aliases: ["-t"], default: "min", help: "which" },
    "cleanup-interval": { type: "duration", unit: "s", aliases: ["-c"], default: "1", help: "s" },
    format: {
      type: "enum",
      choices: ["standard", "json", "jsonl", "ppviz"],
      aliases: ["-F"],
      default: "standard",
      help: "output",
    },
    "ingress-hook": { type: "enum", choices: ["tc", "xdp"], aliases: ["-I"], default: "tc", help: "hook" },
    tcp: { type: "boolean", aliases: ["-T"], help: "TCP" },
    icmp: { type: "boolean", aliases: ["-C"], help: "ICMP" },
    "include-local": { type: "boolean", aliases: ["-l"], help: "local" },
    "include-SYN": { type: "boolean", aliases: ["-s"], help: "SYN" },
    aggregate: { type: "duration", unit: "s", aliases: ["-a"], help: "s" },
    "aggregate-subnets-v4": { type: "integer", aliases: ["-4"], default: "24", min: 0, max: 32, help: "bits" },
    "aggregate-subnets-v6": { type: "integer", aliases: ["-6"], default: "48", min: 0, max: 64, help: "bits" },
    "aggregate-reverse": { type: "boolean", help: "reverse" },
    "aggregate-timeout": { type: "duration", unit: "s", default: "30", help: "s" },
    write: { type: "string", aliases: ["-w"], help: "file" },
  },
} as const satisfies CommandSpec;

const SECOND = 1_000_000_000n;

function run(spec: CommandSpec, line: string) {
  const [, ...argv] = line.split(" ");
  const result = parseCommand(spec, argv, {});
  if (result.kind !== "run") throw new Error(result.text);
  return { command: result.command, ...result.values };
}

const lines: readonly (readonly [CommandSpec, string, Record<string, unknown>])[] = [
  [collector, "collector 12345", { grpcPort: 12_345, listen: { host: "localhost", port: 8080 } }],
  [collector, "collector", { grpcPort: 12_345 }],
  [
    altmark,
    "altmark source eth0 10.0.0.1 12345",
    { command: "source", interface: "eth0", collector: "10.0.0.1", port: 12_345, interval: 10n * SECOND },
  ],
  [altmark, "altmark sink eth0 10.0.0.1 12345", { command: "sink", interface: "eth0", port: 12_345 }],
  [altmark, "altmark -d -i 5 sink eth0 10.0.0.1 12345", { command: "sink", debug: true, interval: 5n * SECOND }],
  [altmark, "altmark --bpf-debug 4 --interval 2 source eth0 h 1", { bpfDebug: 4, interval: 2n * SECOND, port: 1 }],
  [altmark, "altmark sink eth0", { command: "sink", collector: undefined, port: undefined }],
  [
    stamp,
    "stamp sender eth0 111.222.33.44 -c100 -i 0.5 -d 1000 -s 1001",
    { count: 100, interval: SECOND / 2n, destination: 1000, source: 1001, device: "eth0", host: ["111.222.33.44"] },
  ],
  [stamp, "stamp sender eth0 h --hist 10 -5 100 -w 2", { hist: [10, -5, 100], timeout: 2n * SECOND, host: ["h"] }],
  [stamp, "stamp sender eth0 h1 h2 --enforce-sync", { host: ["h1", "h2"], enforceSync: true, enforcePtp: false }],
  [stamp, "stamp reflector eth0 -p 1000", { command: "reflector", port: 1000, device: "eth0" }],
  [
    stamp,
    "stamp reflector eth0 --output --hist 20 0 50 --histpath /tmp/h --debug",
    { output: true, hist: [20, 0, 50], histpath: "/tmp/h", debug: true },
  ],
  [flowmon, "flowmon -i veth1", { interface: ["veth1"], interval: SECOND, conf: "config.json" }],
  [flowmon, "flowmon -i veth1,veth2 -b -t 2 -j 50", { interface: ["veth1", "veth2"], bits: true, jitter: 50_000_000n }],
  [
    flowmon,
    "flowmon -i eth0 -packet_loss -conf my.json -server_port 8080",
    { packetLoss: true, conf: "my.json", serverPort: 8080 },
  ],
  [flowmon, "flowmon -test_throughput -test_jitter", { testThroughput: true, testJitter: true, interface: [] }],
  [flowmon, "flowmon --packet_loss", { packetLoss: true }],
  [tcflows, "tc-flows -iface eth0", { iface: ["eth0"], freq: 5n * SECOND }],
  [tcflows, "tc-flows -iface eth0 -iface eth1 -freq 500ms", { iface: ["eth0", "eth1"], freq: SECOND / 2n }],
  [tcflows, "tc-flows -iface=eth0 -freq=1m30s", { iface: ["eth0"], freq: 90n * SECOND }],
  [tcflows, "tc-flows --iface eth0 --freq 5s", { iface: ["eth0"], freq: 5n * SECOND }],
  [
    pping,
    "pping -i eth0 -r 0 -R 2.5 -t smoothed -c 2 -F json -I xdp",
    {
      interface: "eth0",
      rateLimit: 0n,
      rttRate: 2.5,
      rttType: "smoothed",
      cleanupInterval: 2n * SECOND,
      format: "json",
      ingressHook: "xdp",
    },
  ],
  [pping, "pping -ieth0 -TCls", { interface: "eth0", tcp: true, icmp: true, includeLocal: true, includeSYN: true }],
  [pping, "pping -i eth0 -TCr50", { tcp: true, icmp: true, rateLimit: 50_000_000n }],
  [
    pping,
    "pping -i eth0 -a 10 -4 16 -6 32 --aggregate-reverse --aggregate-timeout 60 -w out.json",
    {
      aggregate: 10n * SECOND,
      aggregateSubnetsV4: 16,
      aggregateSubnetsV6: 32,
      aggregateReverse: true,
      aggregateTimeout: 60n * SECOND,
      write: "out.json",
    },
  ],
  [pping, "pping -i eth0 -416", { aggregateSubnetsV4: 16 }],
];

test.each(lines)("$name %#: %s", (spec, line, expected) => {
  expect(run(spec, line)).toMatchObject(expected);
});

test("the agents' own options stand beside the earlier ones", () => {
  const spec = { ...altmark, options: { ...altmark.options, ...agentOptions } } as const;
  const line = "altmark sink eth0 --report nats://h --report grpc://[::1]:12345 --metrics 9100 --agent-id a_b";
  expect(run(spec, line)).toMatchObject({
    report: ["nats://h", "grpc://[::1]:12345"],
    metrics: { host: "localhost", port: 9100 },
    agentId: "a_b",
    logLevel: "info",
    order: "first",
    trustClock: false,
  });
});
