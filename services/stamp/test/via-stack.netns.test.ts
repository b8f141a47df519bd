import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Capture, describePrivileged, REAL_SEGMENTS, readCapture } from "@waymark/testkit";
import { DEADLINE_MS, DEVICE, FAR, PORT, StampPath } from "./stamp-path.ts";

const FIREWALL = `
  table inet filter {
    chain input { type filter hook input priority 0; udp dport ${PORT} counter drop; }
  }`;

describePrivileged("the host's firewall", { tools: ["ip", "nft", "tshark", "tcpdump", "ethtool"] }, () => {
  test("answers in the kernel pass it by; with --via-stack they do not", async () => {
    await using path = await StampPath.create();
    await path.far.nft(FIREWALL);
    const argv = [...FAR, "-c", "3", "-i", "0.05", "-w", "0.3"];
    const inPlace = await path.reflector();
    const past = await path.sender(argv);
    expect(past.summaries.map(({ received_packets }) => received_packets)).toEqual([3, 3]);
    await inPlace.stop();
    await path.reflector(["--via-stack"]);
    const through = await path.sender(argv);
    expect(through.summaries.map(({ lost_packets }) => lost_packets)).toEqual([3, 3]);
    await path.far.nft("delete table inet filter");
    const open = await path.sender(argv);
    expect(open.summaries.map(({ received_packets }) => received_packets)).toEqual([3, 3]);
  });

  test.each([false, true])(
    "--via-stack: the same packets, stamped by the kernel (authenticated: %j)",
    async (authenticated) => {
      await using path = await StampPath.create({ offloads: REAL_SEGMENTS });
      const file = join(path.lab.folder, "keys");
      await writeFile(file, "* text:0123456789abcdef0123456789abcdef");
      const auth = authenticated ? ["--auth-key-file", file] : [];
      await path.reflector(["--via-stack", ...auth]);
      await path.acquaint();
      await using capture = await Capture.start(path.lab, path.near, DEVICE, { filter: `udp src port ${PORT}` });
      const argv = [
        ...FAR,
        "-c",
        "5",
        "-i",
        "0.05",
        "--dscp",
        "11",
        "--ssid",
        "3",
        "--padding",
        "21",
        "--samples",
        ...auth,
      ];
      const { summaries, answers } = await path.sender(argv);
      expect(summaries.map(({ received_packets }) => received_packets)).toEqual([5, 5]);
      for (const { forward_ns, backward_ns, residence_ns } of answers) {
        for (const ns of [forward_ns, backward_ns, residence_ns]) expect(ns).toBeGreaterThan(0);
      }
      await capture.stopAfter(10, DEADLINE_MS);
      const fields = [
        "udp.checksum.status",
        "ip.ttl",
        "ipv6.hlim",
        "ip.dsfield.dscp",
        "ipv6.tclass.dscp",
        "udp.payload",
      ] as const;
      const packets = await readCapture(capture.path, fields);
      expect(packets).toHaveLength(10);
      for (const packet of packets) {
        expect(packet["udp.checksum.status"]).toBe("1");
        expect(packet["ip.ttl"] || packet["ipv6.hlim"]).toBe("255");
        expect(packet["ip.dsfield.dscp"] || packet["ipv6.tclass.dscp"]).toBe("11");
        const octets = Buffer.from(packet["udp.payload"], "hex");
        // the octet that told the DSCP on the way is zero again
        expect(octets[authenticated ? 81 : 41]).toBe(0);
      }
    },
  );
});
