import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PCAP_LINK, writePcap } from "@waymark/packet";
import { describePrivileged, exec, requireTool } from "@waymark/testkit";
import { Rig } from "./rig.ts";
import { RTP_PORT, rtp, stream } from "./rtp-stream.ts";

describePrivileged("jitter of RTP", () => {
  test("is what tshark makes of the same packets", async () => {
    using rig = new Rig({ rtp: { recognise: true, ports: [] } });
    const sent = stream(120).slice(40);
    const ours: number[] = [];
    for (const packet of sent) {
      rig.send(rtp(packet), packet.atNs);
      const { rtpJitterNs } = rig.only();
      if (rtpJitterNs !== undefined) ours.push(Number(rtpJitterNs) / 1e6);
    }
    const folder = await mkdtemp(join(tmpdir(), "flowmon-rtp-"));
    try {
      const file = join(folder, "rtp.pcap");
      const records = sent.map((packet) => ({ bytes: rtp(packet), timeNs: packet.atNs }));
      await writeFile(file, writePcap(records, PCAP_LINK.ethernet));
      const decode = ["-d", `udp.port==${RTP_PORT},rtp`, "-q", "-z", "rtp,streams"];
      const { stdout } = await exec([requireTool("tshark"), "-r", file, ...decode], { deadlineMs: 60_000 });
      const line = stdout.split("\n").find((text) => text.includes("10.0.0.1")) ?? "";
      const numbers = line.trim().split(/\s+/);
      const maximum = Number(numbers.at(-1) === "X" ? numbers.at(-2) : numbers.at(-1));
      expect(Math.max(...ours)).toBeCloseTo(maximum, 2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
