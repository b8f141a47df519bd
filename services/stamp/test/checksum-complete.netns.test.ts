import { fileURLToPath } from "node:url";
import { describePrivileged, linkChecksumComplete, NetLab, snmp6Counter } from "@waymark/testkit";

const BIN = fileURLToPath(new URL("../bin/stamp.js", import.meta.url));
const DEADLINE_MS = 60_000;
const COUNT = 20;

/** A sender of another make: numbered requests of 400 octets, long enough that the stack relies on the link's sum. */
const client = (family: "4" | "6", to: string) => `
  const socket = require("node:dgram").createSocket("udp${family}");
  let answers = 0;
  socket.on("message", (octets) => {
    if (octets.length === 400 && octets.readUInt32BE(24) === answers) answers++;
    if (answers === ${COUNT}) { console.log("all"); socket.close(); }
    else send();
  });
  const send = () => {
    const octets = Buffer.alloc(400);
    octets.writeUInt32BE(answers, 0);
    octets.writeBigUInt64BE(0xe8fe6f801f9add37n, 4);
    octets.writeUInt16BE(0x9501, 12);
    socket.send(octets, 862, "${to}");
  };
  send();`;

describePrivileged(
  "packets whose checksum the link has computed (CHECKSUM_COMPLETE)",
  { tools: ["ip", "ethtool"] },
  () => {
    test.each([
      ["4", "10.82.0.2", []],
      ["6", "fd00::2", []],
      ["6", "fd00::2", ["--via-stack"]],
    ] as const)("over IPv%s answers from %s arrive without a checksum error %j", async (family, to, options) => {
      await using lab = await NetLab.create();
      const [left, right] = [await lab.namespace("left"), await lab.namespace("right")];
      await linkChecksumComplete(
        lab,
        { ns: left, device: "cc0", addresses: ["fd00::1/64", "10.82.0.1/24"] },
        { ns: right, device: "cc0", addresses: ["fd00::2/64", "10.82.0.2/24"] },
      );
      const reflector = right.spawn([process.execPath, BIN, "reflector", "cc0", "--answer-dscp", "10", ...options]);
      await reflector.waitForLine(/"reflecting"/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      const { stdout } = await left.exec([process.execPath, "-e", client(family, to)], { deadlineMs: DEADLINE_MS });
      expect(stdout).toBe("all\n");
      for (const ns of [left, right]) expect(await snmp6Counter(ns, "Udp6InCsumErrors")).toBe(0n);
    });
  },
);
