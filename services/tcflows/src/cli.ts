import { agentOptions, type CommandSpec } from "@waymark/agent";
import { MAX_TABLE_SIZE } from "./config.ts";
import { ipfixTargetProblem } from "./ipfix/target.ts";
import { sortKeys } from "./rows.ts";
import { VERSION } from "./version.ts";

const DESCRIPTION = `
Every flow that passes an interface, with its packets and bytes on the wire, exact to the packet:
counted in the kernel, by addresses, ports, protocol, VLAN and direction. What finds no room in the
table is counted by protocol; no packet is left out. On a terminal the table is refreshed in
place (b, p, s, d, t sort it, q quits); elsewhere one is printed after the other.
`.trim();

/** The command line of `tcflows`. */
export const tcflowsCommand = {
  name: "tcflows",
  version: VERSION,
  summary: "Exact packets and bytes of every flow",
  description: DESCRIPTION,
  options: {
    iface: {
      type: "string",
      aliases: ["-iface", "-i"],
      multiple: true,
      separator: ",",
      placeholder: "IFACE",
      defaultText: "the interface of the default route",
      help: "Interface to count on, both directions; several: repeat, or separate by commas.",
    },
    freq: {
      type: "duration",
      unit: "s",
      aliases: ["-freq"],
      default: "5s",
      min: "100ms",
      max: "24h",
      help: "How often the table is shown.",
    },
    "interval-totals": { type: "boolean", help: "Show what passed since the last table, not since the start." },
    top: {
      type: "integer",
      unit: "flows",
      min: 1,
      max: 1_000_000,
      placeholder: "N",
      help: "Show the first N rows only.",
    },
    sort: { type: "enum", choices: sortKeys, default: "bytes", help: "What the rows are sorted by." },
    bytes: {
      type: "enum",
      choices: ["l2", "l3"],
      default: "l2",
      help: "Bytes in the table: of frames without FCS (l2, as the earlier tool), or of IP packets (l3).",
    },
    biflow: { type: "boolean", help: "Show both directions of a connection as one row." },
    connections: { type: "boolean", help: "Show connections with their start, duration and end instead of the table." },
    dedup: { type: "boolean", help: "Show and mark only once what several of the interfaces see." },
    filter: {
      type: "string",
      multiple: true,
      placeholder: "RULE",
      defaultText: "everything",
      help: "Count only what matches one of these: 'src=CIDR,dst=CIDR,host=CIDR,proto=tcp,sport=N,dport=N,port=N,vlan=N,ethertype=0x0806', all parts optional. The rest is counted in one sum.",
    },
    names: {
      type: "enum",
      choices: ["ports", "hosts", "all"],
      defaultText: "numbers",
      help: "Show names for ports (/etc/services), for hosts (asks the name server), or for both.",
    },
    plain: { type: "boolean", help: "Print tables one after the other on a terminal, too." },
    "table-size": {
      type: "integer",
      default: "65536",
      min: 1,
      max: MAX_TABLE_SIZE,
      unit: "flows",
      help: "Flows of an interface between two readings (a second at most); what is beyond is counted by protocol.",
    },
    "active-timeout": {
      type: "duration",
      unit: "s",
      default: "5s",
      min: "100ms",
      max: "24h",
      help: "Report a flow that goes on so often.",
    },
    "idle-timeout": {
      type: "duration",
      unit: "s",
      default: "15s",
      min: "1s",
      max: "24h",
      help: "A flow without packets for so long has ended.",
    },
    ipfix: {
      type: "string",
      multiple: true,
      placeholder: "HOST:PORT",
      help: "Export the flow records by IPFIX (RFC 7011): HOST:PORT or udp://HOST:PORT, tcp://HOST:PORT.",
      check: ipfixTargetProblem,
    },
    ...agentOptions,
  },
  examples: [
    { command: "tcflows -iface eth0", help: "Every flow since the start, each 5 s." },
    { command: "tcflows -iface eth0 -freq 1s --interval-totals --top 10", help: "The ten biggest of each second." },
    {
      command: "tcflows --iface eth0 --iface eth1 --dedup --report nats://10.0.0.1:4222",
      help: "A router: forwarded packets once, reported over NATS.",
    },
    {
      command: "tcflows --iface eth0 --filter proto=tcp,port=443 --ipfix 10.0.0.1:4739 --format jsonl",
      help: "HTTPS alone, as JSON lines and to an IPFIX collector.",
    },
  ],
} as const satisfies CommandSpec;
