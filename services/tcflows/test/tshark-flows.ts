import { exec } from "@waymark/testkit";

/** Packets, and bytes of IP and of frames, by flow. */
export type Flows = Map<string, { readonly packets: number; readonly l3Bytes: number; readonly l2Bytes: number }>;

const FIELDS = [
  ...[
    "frame.len",
    "ieee8021ad.id",
    "vlan.id",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "ip.len",
    "ip.flags.mf",
    "ip.frag_offset",
  ],
  ...["ipv6.src", "ipv6.dst", "ipv6.nxt", "ipv6.plen", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"],
] as const;
const NAMES: Readonly<Record<string, string>> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6" };

/**
 * The flows of a capture in the words of tshark's own fields: the first value of each is that of the outermost header
 * (an ICMP error holds another); nothing is put together again.
 */
export async function tsharkFlows(path: string): Promise<Flows> {
  const whole = ["ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE"];
  const argv = ["tshark", "-r", path, "-n", "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f"];
  for (const option of whole) argv.push("-o", option);
  for (const field of FIELDS) argv.push("-e", field);
  const { stdout } = await exec(argv, { deadlineMs: 120_000 });
  const flows: Flows = new Map();
  for (const line of stdout.split("\n")) {
    if (line === "") continue;
    const values = line.split("\t");
    const row = Object.fromEntries(FIELDS.map((field, i) => [field, values[i] ?? ""])) as Record<Field, string>;
    const name = nameOf(row);
    const before = flows.get(name) ?? { packets: 0, l3Bytes: 0, l2Bytes: 0 };
    const l3Bytes = row["ip.len"] ? Number(row["ip.len"]) : 40 + Number(row["ipv6.plen"]);
    flows.set(name, {
      packets: before.packets + 1,
      l3Bytes: before.l3Bytes + l3Bytes,
      l2Bytes: before.l2Bytes + Number(row["frame.len"]),
    });
  }
  return flows;
}

type Field = (typeof FIELDS)[number];

function nameOf(row: Record<Field, string>): string {
  const fragment =
    row["ip.flags.mf"] === "1" || row["ip.flags.mf"] === "True" || Number(row["ip.frag_offset"] || 0) > 0;
  const number = row["ip.proto"] || row["ipv6.nxt"];
  const protocol = NAMES[number] ?? `ip-${number}`;
  const port = (side: "src" | "dst") => {
    if (fragment || (protocol !== "tcp" && protocol !== "udp")) return 0;
    return Number(row[`${protocol}.${side}port`] || 0);
  };
  const source = row["ip.src"] || row["ipv6.src"];
  const destination = row["ip.dst"] || row["ipv6.dst"];
  const vlan = Number(row["ieee8021ad.id"] || row["vlan.id"] || 0);
  return `${vlan} ${protocol} ${source} ${port("src")} > ${destination} ${port("dst")}`;
}
