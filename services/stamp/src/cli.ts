import { agentOptions, type CommandSpec, type OptionTable } from "@waymark/agent";
import { parseTlvOption, TLV_OPTION_FORMS } from "./tlv-option.ts";
import { VERSION } from "./version.ts";

const DESCRIPTION = `
Delay, jitter and loss between two hosts, each way by itself, with STAMP (RFC 8762, RFC 8972). The sender sends test
packets, the reflector answers them; all four time stamps are taken by packet programs in the kernels, next to the
interface. The round trip never depends on the clocks. One-way figures do: they come with the error that both clocks admit,
and are marked unless both are synchronised.
`.trim();

const common = {
  "auth-key-file": {
    type: "string",
    placeholder: "FILE",
    help: "Authenticated mode (HMAC-SHA-256): keys from this file, a line each: 'SSID KEY', or '* KEY' for all others; KEY is text:…, hex:… or base64:…. Read again when it changes.",
  },
  "tlv-key-file": {
    type: "string",
    placeholder: "FILE",
    help: "Protect TLVs by an HMAC TLV in unauthenticated mode, too, with keys from this file.",
  },
  timestamps: {
    type: "enum",
    choices: ["ntp", "ptp"],
    default: "ntp",
    help: "Format of our own time stamps; the other side's is told by its packets.",
  },
  "tai-offset": {
    type: "integer",
    min: 0,
    max: 1000,
    unit: "s",
    defaultText: "what the kernel was told, else 37",
    help: "TAI − UTC, for PTP time stamps; 0 for implementations that put Unix time there.",
  },
  hist: {
    type: "integer",
    values: ["BINS", "MIN", "MAX"],
    help: "Write a histogram at the end, BINS bins from MIN to MAX ms: of round trips, or at the reflector of the way there.",
  },
  histpath: { type: "string", placeholder: "FILE", default: "./hist", help: "Where --hist goes." },
  "enforce-sync": { type: "boolean", help: "Do not start unless the kernel calls its clock synchronised." },
  "enforce-ptp": { type: "boolean", help: "Do not start unless a PTP daemon (ptp4l or phc2sys) keeps the clock." },
  "report-interval": {
    type: "duration",
    unit: "s",
    default: "10",
    min: "1s",
    max: "1h",
    help: "How often results are summed up and reported.",
  },
  debug: { type: "boolean", env: false, help: "Like --log-level debug." },
} as const satisfies OptionTable;

const device = {
  name: "device",
  placeholder: "DEV",
  type: "string",
  env: "WAYMARK_INTERFACE",
  help: "The interface that test packets use.",
} as const;

function tlvProblem(text: string): string | undefined {
  const result = parseTlvOption(text);
  return result.ok ? undefined : result.reason;
}

/** The command line of `stamp`. */
export const stampCommand = {
  name: "stamp",
  version: VERSION,
  summary: "One-way and round-trip delay, jitter and loss with STAMP (RFC 8762)",
  description: DESCRIPTION,
  commands: {
    sender: {
      summary: "Send test packets to one or several reflectors and measure",
      options: {
        count: {
          type: "integer",
          aliases: ["-c"],
          default: "0",
          min: 0,
          max: 4_294_967_295,
          unit: "packets",
          help: "Test packets for each host; 0: until stopped.",
        },
        interval: {
          type: "duration",
          unit: "s",
          aliases: ["-i"],
          default: "1",
          min: "100us",
          max: "1h",
          help: "Between two test packets to a host.",
        },
        "source-port": { type: "port", aliases: ["-s"], default: "862", help: "UDP port of ours." },
        "destination-port": { type: "port", aliases: ["-d"], default: "862", help: "UDP port of the reflectors." },
        wait: {
          type: "duration",
          unit: "s",
          aliases: ["-w"],
          default: "1",
          min: "1ms",
          max: "5m",
          help: "How long to wait for an answer; a later one is lost, and counted as late.",
        },
        schedule: {
          type: "enum",
          choices: ["periodic", "poisson"],
          default: "periodic",
          help: "Distances between packets: all alike, or random with the interval as their mean.",
        },
        ssid: {
          type: "integer",
          min: 0,
          max: 65_535,
          default: "0",
          help: "STAMP Session Identifier (RFC 8972); 0: none.",
        },
        dscp: { type: "integer", min: 0, max: 63, default: "0", help: "DSCP of test packets." },
        padding: {
          type: "integer",
          min: 0,
          max: 3_000,
          unit: "octets",
          defaultText: "none",
          help: "Lengthen test packets by an Extra Padding TLV with so many octets.",
        },
        tlv: {
          type: "string",
          multiple: true,
          placeholder: "TLV",
          help: `Put a TLV into every test packet: ${TLV_OPTION_FORMS.join(", ")}.`,
          check: tlvProblem,
        },
        ...common,
        samples: { type: "boolean", help: "Report every answer by itself as well." },
        ...agentOptions,
      },
      positionals: [device, { name: "host", type: "string", multiple: true, help: "Reflectors: addresses or names." }],
      examples: [
        { command: "stamp sender eth0 192.0.2.7", help: "One packet a second, until Ctrl-C." },
        {
          command: "stamp sender eth0 192.0.2.7 -c100 -i 0.01 -s 1001 -d 1000",
          help: "100 packets, 10 ms apart, ports of your choice.",
        },
        {
          command: "stamp sender eth0 192.0.2.7 2001:db8::7 --format jsonl --report nats://10.0.0.1:4222",
          help: "Two reflectors, for programs and for the collector.",
        },
      ],
    },
    reflector: {
      summary: "Answer test packets that come to an interface",
      description:
        "Answers leave by the interface that the requests came by, from the kernel, past the host's firewall: use --allow. Only the interface's own addresses are answered for.",
      options: {
        port: { type: "port", aliases: ["-p"], default: "862", help: "UDP port." },
        stateful: {
          type: "boolean",
          help: "Number the answers of every session, so that senders can tell forward from backward loss.",
        },
        "via-stack": {
          type: "boolean",
          help: "Answer by way of the host's own stack, its firewall included, from user space. The time stamps stay the kernel's. Not with --stateful.",
        },
        "session-table": {
          type: "integer",
          default: "65536",
          min: 1,
          max: 1_048_576,
          unit: "sessions",
          help: "With --stateful: sessions at once at the most; requests of others are not answered.",
        },
        "session-timeout": {
          type: "duration",
          unit: "s",
          default: "300",
          min: "1s",
          max: "24h",
          help: "With --stateful: a session without requests for so long is forgotten.",
        },
        allow: {
          type: "string",
          multiple: true,
          placeholder: "CIDR",
          defaultText: "everybody",
          help: "Answer these sources only.",
        },
        "rate-limit": {
          type: "number",
          default: "0",
          min: 0,
          unit: "packets/s",
          help: "Requests of one source that are answered; 0: all.",
        },
        "return-to": {
          type: "string",
          multiple: true,
          placeholder: "CIDR",
          defaultText: "nowhere",
          help: "Send answers to these addresses, too, if a Return Path TLV asks for it.",
        },
        "hide-location": { type: "boolean", help: "Tell no addresses and ports to a Location TLV." },
        "answer-dscp": { type: "integer", min: 0, max: 63, defaultText: "the request's", help: "DSCP of answers." },
        "copy-ecn": { type: "boolean", help: "Answers carry the request's ECN bits; otherwise Not-ECT." },
        output: { type: "boolean", help: "Print what was answered, once a second." },
        ...common,
        ...agentOptions,
      },
      positionals: [device],
      examples: [
        { command: "stamp reflector eth0", help: "Answer everybody on UDP port 862." },
        { command: "stamp reflector eth0 -p 1000 --stateful --allow 192.0.2.0/24", help: "Count for these senders." },
        { command: "stamp reflector eth0 --auth-key-file /etc/stamp.keys", help: "Only packets signed with a key." },
      ],
    },
  },
} as const satisfies CommandSpec;
