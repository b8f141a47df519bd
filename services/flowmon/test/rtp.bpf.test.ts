import { describePrivileged } from "@waymark/testkit";
import { udp } from "./packets.ts";
import { Rig } from "./rig.ts";
import { RTP_PORT, rtp, type Sent, stream } from "./rtp-stream.ts";

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
    using rig = new Rig({ rtp: { recognise: false, ports: [{ port: RTP_PORT, rate: undefined }] } });
    const sent = stream(200);
    const expected = plainJitter(sent, 8000);
    for (const [i, packet] of sent.entries()) {
      rig.send(rtp(packet), packet.atNs);
      const { rtpJitterNs } = rig.only();
      if (i < 3) expect(rtpJitterNs).toBeUndefined();
      else expect(Math.abs(Number(rtpJitterNs) - (expected[i] ?? 0))).toBeLessThan(20);
    }
  });

  test("sources that alternate have no jitter of 0; one that follows another begins anew", () => {
    using rig = new Rig({ rtp: { recognise: false, ports: [{ port: RTP_PORT, rate: undefined }] } });
    const sent = stream(30);
    for (const [i, packet] of sent.entries()) rig.send(rtp(packet, 0, i & 1), packet.atNs);
    expect(rig.only().rtpJitterNs).toBeUndefined();
    const follower = sent.map((packet) => ({ ...packet, atNs: packet.atNs + 1_000_000_000n }));
    for (const packet of follower) rig.send(rtp(packet, 0, 2), packet.atNs);
    expect(Math.abs(Number(rig.only().rtpJitterNs) - (plainJitter(follower, 8000).at(-1) ?? 0))).toBeLessThan(20);
  });

  test("another payload type in between neither ends a source's jitter nor counts in it", () => {
    using rig = new Rig({ rtp: { recognise: false, ports: [{ port: RTP_PORT, rate: undefined }] } });
    const [before, after] = [stream(20), stream(21, 8000, 0x1000)];
    const at = (packet: Sent) => ({ ...packet, atNs: packet.atNs + 1_000_000_000n });
    for (const packet of before) rig.send(rtp(packet), packet.atNs);
    const jitter = rig.only().rtpJitterNs;
    expect(jitter).toBeGreaterThan(0n);
    const [event, first] = after.map(at) as [Sent, Sent];
    rig.send(rtp(event, 101), event.atNs);
    rig.send(rtp(first), first.atNs);
    expect(rig.only().rtpJitterNs).toBe(jitter);
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
    using rig = new Rig({ rtp: { recognise: false, ports: [{ port: RTP_PORT, rate: 48_000 }] } });
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
