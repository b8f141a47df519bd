// @kernels
import { fileURLToPath } from "node:url";
import {
  DatagramReceiver,
  describePrivileged,
  linkChecksumComplete,
  NetLab,
  sendDatagrams,
  snmp6Counter,
  waitFor,
} from "@waymark/testkit";

const BIN = fileURLToPath(new URL("../bin/altmark.js", import.meta.url));
const COUNT = 50;
const DEADLINE_MS = 60_000;

describePrivileged(
  "packets whose checksum the link has computed (CHECKSUM_COMPLETE)",
  { tools: ["ip", "ethtool"] },
  () => {
    test.each(["4", "6"])("IPv%s marks are cleared without a checksum error", async (family) => {
      await using lab = await NetLab.create();
      const [left, right] = [await lab.namespace("left"), await lab.namespace("right")];
      await linkChecksumComplete(
        lab,
        { ns: left, device: "cc0", addresses: ["fd00::1/64", "10.82.0.1/24"] },
        { ns: right, device: "cc0", addresses: ["fd00::2/64", "10.82.0.2/24"] },
      );
      await using receiver = await DatagramReceiver.start(right, 5000, "::");
      for (const [ns, role] of [
        [left, "source"],
        [right, "sink"],
      ] as const) {
        const agent = ns.spawn([process.execPath, BIN, role, "cc0", "-i", "3600"]);
        await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      }
      const to = family === "6" ? "fd00::2" : "10.82.0.2";
      // Large enough that the stack relies on the link's sum instead of computing its own.
      await sendDatagrams(left, { to, port: 5000, count: COUNT, rate: 1000, size: 400 });
      const counts = await waitFor(
        async () => {
          const seen = await receiver.counts();
          return seen.received === COUNT ? seen : undefined;
        },
        { deadlineMs: DEADLINE_MS, what: "datagrams without a checksum error" },
      );
      expect(await snmp6Counter(right, "Udp6InCsumErrors")).toBe(0n);
      if (family === "6") expect(counts.byTos).toEqual({ 0: COUNT });
    });
  },
);
