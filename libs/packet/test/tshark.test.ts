import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPacket, formatAddress, PCAP_LINK, parsePacket, writePcap } from "@waymark/packet";
import { describeWithTools, readCapture } from "@waymark/testkit";
import fc from "fast-check";
import { ethernet, ipv4, ipv6, transport } from "./arbitraries.ts";

const COUNT = 1000;

/** What our parser and tshark both say of a packet. */
interface Verdict {
  readonly source: string;
  readonly destination: string;
  readonly ports: string;
}

describeWithTools("tshark", ["tshark"], () => {
  test(`agrees with addresses and ports of ${COUNT} packets, and finds every checksum right`, async () => {
    const whole = fc
      .tuple(
        ethernet.map((spec) => ({ ...spec, destination: "02:00:00:00:00:02", source: "02:00:00:00:00:01" })),
        fc.oneof(
          // options that are no-operations and addresses without a meaning of their own, so that no dissector interferes
          ipv4.map((spec) => ({ ipv4: { ...spec, moreFragments: false, fragmentOffset: 0 } })),
          ipv6.map((spec) => ({
            ipv6: {
              ...spec,
              extensions: (spec.extensions ?? []).filter((header) => header.kind === "destination-options"),
            },
          })),
        ),
        transport.filter((spec) => spec.kind !== "raw" && !(spec.kind === "icmp" && spec.type >= 128)),
      )
      .map(([link, ip, body]) => ({ ethernet: link, ...ip, transport: body }));
    const specs = fc.sample(whole, { numRuns: COUNT, seed: 4242 });
    const packets = specs.map((spec) => buildPacket(spec));
    const folder = await mkdtemp(join(tmpdir(), "waymark-packet-"));
    try {
      const file = join(folder, "built.pcap");
      await writeFile(
        file,
        writePcap(
          packets.map((bytes) => ({ bytes })),
          PCAP_LINK.ethernet,
        ),
      );
      const fields = [
        ...["ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.checksum.status"],
        ...["tcp.srcport", "tcp.dstport", "tcp.checksum.status", "udp.srcport", "udp.dstport", "udp.checksum.status"],
        ...["icmp.checksum.status", "icmpv6.checksum.status"],
      ] as const;
      const rows = await readCapture(file, fields);
      expect(rows).toHaveLength(COUNT);
      for (const [i, row] of rows.entries()) {
        const parsed = parsePacket(packets[i]!);
        if (!parsed.ok) throw new Error(parsed.reason);
        const ours: Verdict = {
          source: formatAddress(parsed.source),
          destination: formatAddress(parsed.destination),
          ports: parsed.ports ? `${parsed.ports.source} ${parsed.ports.destination}` : " ",
        };
        const theirs: Verdict = {
          source: row["ip.src"] || row["ipv6.src"],
          destination: row["ip.dst"] || row["ipv6.dst"],
          ports: `${row["tcp.srcport"] || row["udp.srcport"]} ${row["tcp.dstport"] || row["udp.dstport"]}`,
        };
        expect(ours).toEqual(theirs);
        const transportStatus = ["tcp", "udp", "icmp", "icmpv6"]
          .map((name) => row[`${name}.checksum.status` as keyof typeof row])
          .join("");
        // 1 is "good"
        expect([i, parsed.family === 4 ? row["ip.checksum.status"] : "1", transportStatus]).toEqual([i, "1", "1"]);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
