import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PCAP_LINK, writePcap } from "@waymark/packet";
import { describePrivileged, exec, requireTool } from "@waymark/testkit";
import { udp } from "./packets.ts";
import { random } from "./reference.ts";
import { Rig } from "./rig.ts";

const START_NS = 1_000_000_000n;
const PORT = 2000;
const PCMU = 0;
/** The packet that comes late in a long stream. */
const LATE = 30;

interface Sent {
  readonly sequence: number;
  readonly timestamp: number;
  readonly atNs: bigint;
}

function rtp({ sequence, timestamp }: Sent, type = PCMU, ssrc = 0x1234, size = 172): Uint8Array {
  const payload = new Uint8Array(size);
  const view = new DataView(payload.buffer);
  view.setUint8(0, 0x80);
  view.setUint8(1, type);
  view.setUint16(2, sequence & 0xffff);
  view.setUint32(4, timestamp >>> 0);
  view.setUint32(8, ssrc);
  return udp(payload);
}

/** 20 ms of 8 kHz a packet, with delays that vary and some packets late. */
function stream(count: number, rate = 8000, first = 0xffff_f000): Sent[] {
  const next = random(5);
  const all = Array.from({ length: count }, (_, i) => ({
    sequence: 65_500 + i,
    timestamp: first + (i * rate) / 50,
    atNs: START_NS + BigInt(i) * 20_000_000n + BigInt(Math.floor(next() * 8_000_000)),
  }));
  if (count <= LATE + 2) return all;
  const late = all.splice(LATE, 1)[0] as Sent;
  all.splice(LATE + 2, 0, { ...late, atNs: (all[LATE + 1] as Sent).atNs + 1n });
  return all;
}

/** RFC 3550 section 6.4.1 in doubles, in nanoseconds. */
function plainJitter(sent: readonly Sent[], rate: number): number[] {
  let jitter = 0;
  return sent.map((packet, i) => {
    const before = sent[i - 1];
    if (before) {
      const ticks = packet.timestamp - before.timestamp;
      const d = Number(packet.atNs - before.atNs) - (ticks / rate) * 1e9;
      jitter += (Math.abs(d) - jitter) / 16;
    }
    return jitter;
  });
}

describePrivileged("RTP", () => {
  test("jitter of a named port is RFC 3550's, over wraps of both counters and with a late packet", () => {
    using rig = new Rig({ rtp: { recognise: false, ports: [{ port: PORT, rate: undefined }] } });
    const sent = stream(200);
    const expected = plainJitter(sent, 8000);
    for (const [i, packet] of sent.entries()) {
      rig.send(rtp(packet), packet.atNs);
      expect(Math.abs(Number(rig.only().rtpJitterNs ?? 0n) - (expected[i] ?? 0))).toBeLessThan(20);
    }
  });

  test("and what tshark makes of the same packets", async () => {
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
      const decode = ["-d", `udp.port==${PORT},rtp`, "-q", "-z", "rtp,streams"];
      const { stdout } = await exec([requireTool("tshark"), "-r", file, ...decode], { deadlineMs: 60_000 });
      const line = stdout.split("\n").find((text) => text.includes("10.0.0.1")) ?? "";
      const numbers = line.trim().split(/\s+/);
      const maximum = Number(numbers.at(-1) === "X" ? numbers.at(-2) : numbers.at(-1));
      expect(Math.max(...ours)).toBeCloseTo(maximum, 2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("is recognised after four packets in sequence, and not before", () => {
    using rig = new Rig({ rtp: { recognise: true, ports: [] } });
    const sent = stream(20).slice(0, 20);
    const known = sent.map((packet) => {
      rig.send(rtp(packet), packet.atNs);
      return rig.only().rtpJitterNs !== undefined;
    });
    expect(known.indexOf(true)).toBe(3);
  });

  test.each([
    ["another version", (packet: Sent) => udp(new Uint8Array(172).fill(0x40 + (packet.sequence & 1)))],
    ["RTCP on the same port", (packet: Sent) => rtp(packet, 72)],
    ["a dynamic payload type, whose clock is not known", (packet: Sent) => rtp(packet, 111)],
    ["numbers that jump", (packet: Sent) => rtp({ ...packet, sequence: packet.sequence * 7 })],
    ["eleven octets", (packet: Sent) => udp(rtp(packet).slice(42, 53))],
  ])("is not seen in %s", (_name, make) => {
    using rig = new Rig({ rtp: { recognise: true, ports: [] } });
    for (const packet of stream(30)) rig.send(make(packet), packet.atNs);
    expect(rig.only().rtpJitterNs).toBeUndefined();
  });

  test("a clock rate that was named holds for a dynamic type", () => {
    using rig = new Rig({ rtp: { recognise: false, ports: [{ port: PORT, rate: 48_000 }] } });
    const sent = stream(100, 48_000, 1000);
    for (const packet of sent) rig.send(rtp(packet, 111), packet.atNs);
    const expected = plainJitter(sent, 48_000).at(-1) ?? 0;
    expect(Math.abs(Number(rig.only().rtpJitterNs) - expected)).toBeLessThan(20);
  });

  test("off: nothing is looked at", () => {
    using rig = new Rig();
    for (const packet of stream(10)) rig.send(rtp(packet), packet.atNs);
    expect(rig.only().rtpJitterNs).toBeUndefined();
    expect(rig.raw()[0]?.rtp).toMatchObject({ in_sequence: 0 });
  });
});
