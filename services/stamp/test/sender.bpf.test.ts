import { monotonicNow, taiNow } from "@waymark/bpf-runtime";
import { internetChecksum } from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import { isSealed, sealPacket } from "../src/codec/hmac.ts";
import type { Mode } from "../src/codec/mode.ts";
import { encodeReflectorPacket } from "../src/codec/reflector-packet.ts";
import { decodeSenderPacket, encodeSenderPacket } from "../src/codec/sender-packet.ts";
import { decodeTime } from "../src/codec/time-stamp.ts";
import { DROP, KEY, PASS, parsed, payloadOf, udpChecksum } from "./reflector-rig.ts";
import { COOKIE, type FrameSpec, incoming, outgoing, SenderRig, SSID } from "./sender-rig.ts";

/** The cookie as it lies in a packet. */
const inPacket = new DataView(Uint8Array.of(0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11).buffer).getBigUint64(0);

function ours(mode: Mode, sequence: number): Uint8Array {
  return encodeSenderPacket(mode, { sequence, timestamp: inPacket, errorEstimate: 0x9501, ssid: SSID });
}

/** Sends a packet; T1 as it went out. */
function send(rig: SenderRig, mode: Mode, sequence: number, family: 4 | 6 = 4): bigint {
  const { retval, data } = rig.run("stamp_send", outgoing({ payload: ours(mode, sequence), family }));
  expect(retval).toBe(PASS);
  return decodeSenderPacket(mode, payloadOf(data))?.timestamp ?? 0n;
}

interface AnswerSpec {
  readonly t1: bigint;
  readonly sequence: number;
  readonly ssid?: number;
  readonly own?: number;
}

function answer(mode: Mode, { t1, sequence, ssid = SSID, own = sequence }: AnswerSpec): Uint8Array {
  const octets = encodeReflectorPacket(mode, {
    sequence: own,
    timestamp: 0x0102_0304_0506_0708n,
    errorEstimate: 0x8a05,
    ssid,
    receiveTimestamp: 0x1112_1314_1516_1718n,
    senderSequence: sequence,
    senderTimestamp: t1,
    senderErrorEstimate: 0x9501,
    senderTtl: 60,
  });
  if (mode === "authenticated") sealPacket(octets, KEY);
  return octets;
}

describePrivileged("the sender's programs", () => {
  test.each<[Mode, Partial<FrameSpec>]>([
    ["unauthenticated", {}],
    ["unauthenticated", { family: 6 }],
    ["unauthenticated", { vlan: 7 }],
    ["unauthenticated", { checksum: 0 }],
    ["authenticated", {}],
    ["authenticated", { family: 6 }],
  ])("egress writes T1: %s %j", (mode, spec) => {
    using rig = new SenderRig({ authenticated: mode === "authenticated", dscp: 46 });
    const frame = outgoing({ payload: ours(mode, 3), ...spec });
    const before = taiNow();
    const { retval, data } = rig.run("stamp_send", frame);
    const after = taiNow();
    expect(retval).toBe(PASS);
    const packet = decodeSenderPacket(mode, payloadOf(data));
    const t1 = decodeTime(packet?.timestamp ?? 0n, "ntp", 0, before) ?? 0n;
    expect([before <= t1 + 1n, t1 <= after]).toEqual([true, true]);
    expect(packet).toMatchObject({ sequence: 3, errorEstimate: 0x9501, ssid: SSID });
    const { l2Length, l4Offset, trafficClass, family } = parsed(data);
    expect(trafficClass).toBe(46 << 2);
    if (family === 4) expect(internetChecksum(data.subarray(l2Length, l4Offset))).toBe(0);
    if (spec.checksum !== 0) expect(udpChecksum(data)).toBe(0);
    if (mode === "authenticated") expect(isSealed(payloadOf(data), KEY)).toBe(true);
    const [event] = rig.events();
    expect(event).toMatchObject({ kind: 1, session: family === 4 ? 0 : 1, sequence: 3 });
    expect((event?.sent_ns ?? 0n) - t1 <= 1n).toBe(true);
    expect(rig.counters()).toEqual({ sent: 1n });
  });

  test("packets of the same ports that are not this process's leave as they are", () => {
    using rig = new SenderRig();
    const stranger = encodeSenderPacket("unauthenticated", {
      sequence: 1,
      timestamp: 9n,
      errorEstimate: 1,
      ssid: SSID,
    });
    for (const spec of [
      { payload: stranger },
      { payload: ours("unauthenticated", 1), destination: "192.0.2.9" },
      { payload: ours("unauthenticated", 1), destinationPort: 863 },
      { payload: ours("unauthenticated", 1), sourcePort: 863 },
      { payload: ours("unauthenticated", 1).subarray(0, 43) },
    ]) {
      const frame = outgoing(spec);
      const { retval, data } = rig.run("stamp_send", frame);
      expect([retval, data]).toEqual([PASS, frame]);
    }
    expect([rig.events(), rig.counters()]).toEqual([[], {}]);
  });

  test.each<[Mode, 4 | 6]>([
    ["unauthenticated", 4],
    ["unauthenticated", 6],
    ["authenticated", 4],
    ["authenticated", 6],
  ])("ingress takes the answer and T4: %s, IPv%i", (mode, family) => {
    using rig = new SenderRig({ authenticated: mode === "authenticated" });
    const before = monotonicNow();
    const t1 = send(rig, mode, 5, family);
    const frame = incoming({ payload: answer(mode, { t1, sequence: 5, own: 2 }), family });
    const verdicts = [0, 1, 2].map(() => rig.run("stamp_collect", frame).retval);
    const elapsed = monotonicNow() - before;
    expect(verdicts).toEqual([DROP, DROP, DROP]);
    const [sent, ...answers] = rig.events();
    expect(answers.map(({ nth }) => nth)).toEqual([0, 1, 2]);
    for (const event of answers) {
      const { elapsed_ns, ...said } = event;
      expect(said).toEqual({
        kind: 2,
        sent_ns: sent?.sent_ns,
        received: 0x1112_1314_1516_1718n,
        answered: 0x0102_0304_0506_0708n,
        session: family === 4 ? 0 : 1,
        sequence: 5,
        answer_sequence: 2,
        error_estimate: 0x8a05,
        ssid: SSID,
        length: payloadOf(frame).length,
        nth: event.nth,
        sender_ttl: 60,
        hops: 64,
        tos: 0,
      });
      expect(elapsed_ns > 0n && elapsed_ns < elapsed).toBe(true);
    }
    expect(rig.counters()).toEqual({ sent: 1n, received: 1n, duplicate: 2n });
  });

  test("what is no answer to a packet of ours goes on to the port's application", () => {
    using rig = new SenderRig();
    const t1 = send(rig, "unauthenticated", 5);
    const right = { t1, sequence: 5 };
    const others: FrameSpec[] = [
      { payload: answer("unauthenticated", { ...right, t1: t1 + 1n }) },
      { payload: answer("unauthenticated", { ...right, sequence: 4 }) },
      { payload: answer("unauthenticated", { ...right, sequence: 21 }) },
      { payload: answer("unauthenticated", { ...right, ssid: 9 }) },
      { payload: answer("unauthenticated", right), source: "192.0.2.77" },
      { payload: answer("unauthenticated", right), sourcePort: 863 },
      { payload: answer("unauthenticated", right).subarray(0, 40) },
      { payload: answer("unauthenticated", { t1: 0n, sequence: 0 }) },
      { payload: new TextEncoder().encode("not a test packet at all, but as long as one is") },
    ];
    for (const spec of others) {
      const frame = incoming(spec);
      const { retval, data } = rig.run("stamp_collect", frame);
      expect([retval, data]).toEqual([PASS, frame]);
    }
    expect(rig.counters()).toEqual({ sent: 1n, unmatched: 7n });
    expect(rig.run("stamp_collect", incoming({ payload: answer("unauthenticated", right) })).retval).toBe(DROP);
  });

  test("an answer without SSID, and one of TWAMP Light, are answers", () => {
    using rig = new SenderRig();
    const t1 = send(rig, "unauthenticated", 5);
    const octets = answer("unauthenticated", { t1, sequence: 5, ssid: 0 });
    for (const payload of [octets, octets.subarray(0, 41)]) {
      expect(rig.run("stamp_collect", incoming({ payload })).retval).toBe(DROP);
    }
  });

  test("an answer with a wrong HMAC is dropped, and the right one still counts", () => {
    using rig = new SenderRig({ authenticated: true });
    const right = answer("authenticated", { t1: send(rig, "authenticated", 5), sequence: 5 });
    const wrong = right.slice();
    wrong[33] = 1;
    expect(rig.run("stamp_collect", incoming({ payload: wrong })).retval).toBe(DROP);
    expect(rig.run("stamp_collect", incoming({ payload: right })).retval).toBe(DROP);
    expect(rig.events().map(({ kind, nth }) => [kind, nth])).toEqual([
      [1, 0],
      [2, 0],
    ]);
    expect(rig.counters()).toEqual({ sent: 1n, received: 1n, answer_bad_hmac: 1n });
  });

  test("the TLVs of an answer come to user space", () => {
    using rig = new SenderRig({ tlvs: true });
    const base = answer("unauthenticated", { t1: send(rig, "unauthenticated", 5), sequence: 5, own: 6 });
    const tlvs = Uint8Array.from({ length: 1001 }, (_, i) => i & 0xff);
    rig.run("stamp_collect", incoming({ payload: Uint8Array.from([...base, ...tlvs]) }));
    const [record] = rig.tlvs();
    expect(record).toMatchObject({ session: 0, sequence: 5, answer_sequence: 6, length: 1001 });
    expect([...(record?.octets.subarray(0, 1001) ?? [])]).toEqual([...tlvs]);
  });

  test("the cookie is read as it lies in memory", () => {
    expect(
      new DataView(Uint8Array.of(0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11).buffer).getBigUint64(0, true),
    ).toBe(COOKIE);
  });
});
