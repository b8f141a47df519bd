import { monotonicNow, taiNow } from "@waymark/bpf-runtime";
import { internetChecksum, parseCidr } from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import { isSealed, sealPacket } from "../src/codec/hmac.ts";
import type { Mode } from "../src/codec/mode.ts";
import { decodeReflectorPacket, encodeReflectorPacket } from "../src/codec/reflector-packet.ts";
import { encodeSenderPacket } from "../src/codec/sender-packet.ts";
import { decodeTime } from "../src/codec/time-stamp.ts";
import {
  DROP,
  KEY,
  openRequest,
  PASS,
  parsed,
  payloadOf,
  REDIRECT,
  REFLECTOR4,
  ReflectorRig,
  type RequestSpec,
  requestFrame,
  SENDER_PORT,
  SENDER4,
  udpChecksum,
} from "./reflector-rig.ts";

const payload = openRequest();
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
const padded = (length: number, fill = 0) => Uint8Array.from([...payload, ...new Array(length).fill(fill)]);
const range = (text: string) => {
  const result = parseCidr(text);
  if (!result.ok) throw new Error(result.reason);
  return result.cidr;
};
const near = (bits: bigint) => decodeTime(bits, "ntp", 0, taiNow());

describePrivileged("stamp_reflect and stamp_answer", () => {
  test.each<[string, RequestSpec]>([
    ["IPv4", { payload }],
    ["IPv6", { payload, family: 6 }],
    ["VLAN", { payload, vlans: [{ id: 7 }] }],
    ["QinQ, IPv6", { payload, family: 6, vlans: [{ protocol: 0x88a8, id: 7 }, { id: 8 }] }],
    ["IPv4 options that may go back", { payload, options: bytes("0101010194040000") }],
    ["a padding of hop-by-hop options", { payload, family: 6, extensions: [{ kind: "hop-by-hop" }] }],
    ["no UDP checksum", { payload, checksum: 0 }],
    ["padding without TLVs", { payload: padded(33) }],
    ["1400 octets of it", { payload: padded(1400) }],
    ["three octets behind the base packet", { payload: padded(3, 0xff) }],
  ])("turns a request round: %s", (_name, spec) => {
    using rig = new ReflectorRig();
    const frame = requestFrame({ tos: 0xbb, ...spec });
    const before = taiNow();
    const answer = rig.reflect(frame);
    const after = taiNow();
    const [was, is] = [parsed(frame), parsed(answer)];
    expect(is).toEqual({
      ...was,
      source: was.destination,
      destination: was.source,
      ports: { source: 862, destination: SENDER_PORT },
      hops: 255,
      trafficClass: 0xb8,
    });
    expect([...answer.subarray(0, 12)]).toEqual([...frame.subarray(6, 12), ...frame.subarray(0, 6)]);
    expect(answer.length).toBe(frame.length);
    if (was.family === 4) expect(internetChecksum(answer.subarray(is.l2Length, is.l4Offset))).toBe(0);
    if (spec.checksum === 0) expect([...answer.subarray(is.l4Offset + 6, is.l4Offset + 8)]).toEqual([0, 0]);
    else expect(udpChecksum(answer)).toBe(0);
    const said = decodeReflectorPacket("unauthenticated", payloadOf(answer));
    if (!said) throw new Error("no answer");
    const { timestamp, receiveTimestamp, ...rest } = said;
    expect(rest).toEqual({
      sequence: 7,
      errorEstimate: 0x9501,
      ssid: 0x1234,
      senderSequence: 7,
      senderTimestamp: 1n,
      senderErrorEstimate: 0x9501,
      senderTtl: 64,
    });
    const [t2, t3] = [near(receiveTimestamp) ?? 0n, near(timestamp) ?? 0n];
    // each is a nanosecond off at the most by its 2^-32 s
    expect([before <= t2 + 1n, t2 <= t3, t3 <= after]).toEqual([true, true, true]);
    expect([...payloadOf(answer)]).toEqual([
      ...encodeReflectorPacket("unauthenticated", said),
      ...spec.payload.subarray(44),
    ]);
    expect(rig.counters()).toEqual({ reflected: 1n, stamped: 1n });
  });

  test("one Extra Padding to the end is understood in place, on even and odd lengths", () => {
    using rig = new ReflectorRig();
    for (const length of [0, 1, 36, 501]) {
      const tlv = [0x80, 1, length >> 8, length & 0xff, ...new Array(length).fill(0xa5)];
      const answer = rig.reflect(requestFrame({ payload: Uint8Array.from([...payload, ...tlv]) }));
      expect([...payloadOf(answer).subarray(44)]).toEqual([0, ...tlv.slice(1)]);
      expect(udpChecksum(answer)).toBe(0);
    }
  });

  test.each<[string, number | undefined, boolean, number]>([
    ["the request's DSCP", undefined, false, 0xb8],
    ["the request's ECN as well", undefined, true, 0xbb],
    ["DSCP 10", 10, false, 0x28],
  ])("answers carry %s", (_name, dscp, copyEcn, tos) => {
    using rig = new ReflectorRig({ dscp, copyEcn });
    for (const family of [4, 6] as const) {
      expect(parsed(rig.reflect(requestFrame({ payload, family, tos: 0xbb }))).trafficClass).toBe(tos);
    }
  });

  test.each<[string, RequestSpec | Uint8Array, string | undefined]>([
    ["another port", { payload, port: 863 }, undefined],
    ["our port as the source", { payload, port: 9, sourcePort: 862 }, undefined],
    ["an address that is not ours", { payload, destination: "192.0.2.3" }, "not_ours"],
    ["a broadcast", { payload, destination: "192.0.2.255", mac: "ff:ff:ff:ff:ff:ff" }, "not_ours"],
    ["a MAC address that is not ours", { payload, mac: "02:00:00:00:00:09" }, "not_ours"],
    ["13 octets", { payload: payload.slice(0, 13) }, "malformed"],
    ["IPv6 without UDP checksum", { payload, family: 6, checksum: 0 }, "malformed"],
    ["record route", { payload, options: bytes("0707040000000000") }, "unhandled_header"],
    [
      "a routing header",
      { payload, family: 6, extensions: [{ kind: "routing", type: 4, segmentsLeft: 0 }] },
      "unhandled_header",
    ],
    ["a fragment", withOctet(requestFrame({ payload }), 20, 0x20), undefined],
    ["a UDP length beyond the packet", withOctet(requestFrame({ payload }), 38, 0xff), "malformed"],
  ])("lets %s pass as it was", (_name, spec, reason) => {
    using rig = new ReflectorRig();
    const frame = spec instanceof Uint8Array ? spec : requestFrame(spec);
    const { retval, data, ctx } = rig.ingress(frame);
    expect([retval, ctx?.mark]).toEqual([PASS, 0]);
    expect(data).toEqual(frame);
    expect(rig.counters()).toEqual(reason ? { [reason]: 1n } : {});
  });

  test("nothing shorter than the packet is read beyond its end, and no length makes it answer another", () => {
    using rig = new ReflectorRig();
    const frame = requestFrame({ payload: padded(10), family: 6, extensions: [{ kind: "hop-by-hop" }] });
    for (let length = 54; length < frame.length; length++) {
      const cut = frame.slice(0, length);
      expect(rig.ingress(cut).retval).toBe(PASS);
    }
  });

  test("answers are not answered: our own, and those of others", () => {
    using rig = new ReflectorRig();
    const answer = payloadOf(rig.reflect(requestFrame({ payload, hops: 1 })));
    const twamp = Uint8Array.from([...answer.subarray(0, 41), 9, 9, 9, 9, 9, 9]);
    for (const octets of [answer, answer.subarray(0, 41), twamp]) {
      expect(rig.ingress(requestFrame({ payload: octets })).retval).toBe(PASS);
    }
    expect(rig.counters()).toMatchObject({ answer: 3n });
    const random = Uint8Array.from(payload, (octet, i) => (i < 16 ? octet : (i * 37 + 11) & 0xff));
    expect(rig.ingress(requestFrame({ payload: random })).retval).toBe(REDIRECT);
  });

  test.each<[Mode, number]>([
    ["unauthenticated", 44],
    ["unauthenticated", 41],
    ["unauthenticated", 60],
    ["authenticated", 112],
    ["authenticated", 120],
  ])("nor that of a reflector that tells no TTL and fills what is reserved: %s, %i octets", (mode, length) => {
    using rig = new ReflectorRig({ authenticated: mode === "authenticated" });
    const octets = new Uint8Array(length).fill(0xff);
    const fields = { errorEstimate: 0x9501, ssid: 0x1234, senderErrorEstimate: 0x9501, senderTimestamp: 1n };
    for (const t2 of [0xee00_0000_8000_0000n, 0xffff_ffff_8000_0000n]) {
      const said = { ...fields, receiveTimestamp: t2, sequence: 1, senderSequence: 1, senderTtl: 0 };
      for (const heldS of [0n, 1n, -1n, 63n]) {
        const timestamp = BigInt.asUintN(64, t2 + (heldS << 32n));
        octets.set(encodeReflectorPacket(mode, { ...said, timestamp }).subarray(0, length));
        // Must be Zero (RFC 8762 section 4.3)
        if (mode === "unauthenticated") octets.fill(0xff, 38, 40).fill(0xff, 41);
        else sealPacket(octets.fill(0xff, 4, 16).fill(0xff, 28, 32).fill(0xff, 40, 48), KEY);
        expect(rig.ingress(requestFrame({ payload: octets })).retval).toBe(PASS);
      }
    }
    expect(rig.counters()).toEqual({ answer: 8n });
  });

  test.each(["0.0.0.0", "224.0.0.1", "255.255.255.255"])(
    "a source that cannot be answered is dropped: %s",
    (source) => {
      using rig = new ReflectorRig();
      expect(rig.ingress(requestFrame({ payload, source })).retval).toBe(DROP);
      expect(rig.ingress(requestFrame({ payload, family: 6, source: "ff02::1" })).retval).toBe(DROP);
      expect(rig.ingress(requestFrame({ payload, source: REFLECTOR4, sourcePort: 862 })).retval).toBe(DROP);
      expect(rig.counters()).toEqual({ bad_source: 3n });
    },
  );

  test("--allow: only these sources", () => {
    using rig = new ReflectorRig({ allowed: [range("192.0.2.0/31"), range("2001:db8::/64")] });
    const verdicts = (["192.0.2.1", "192.0.2.3"] as const).map((source) =>
      rig.ingress(requestFrame({ payload, source })),
    );
    expect(verdicts.map(({ retval }) => retval)).toEqual([REDIRECT, DROP]);
    for (const [source, verdict] of [
      ["2001:db8::9", REDIRECT],
      ["2001:db8:1::9", DROP],
    ] as const) {
      expect(rig.ingress(requestFrame({ payload, family: 6, source })).retval).toBe(verdict);
    }
    expect(rig.counters()).toEqual({ reflected: 2n, not_allowed: 2n });
  });

  test.each<[string, number, number]>([
    ["::/0", DROP, REDIRECT],
    ["0.0.0.0/0", REDIRECT, DROP],
    ["::/64", DROP, DROP],
  ])("--allow %s is of its own family", (text, v4, v6) => {
    using rig = new ReflectorRig({ allowed: [range(text)] });
    const verdict = (family: 4 | 6) => rig.ingress(requestFrame({ payload, family })).retval;
    expect([verdict(4), verdict(6)]).toEqual([v4, v6]);
  });

  test("--rate-limit: for every source its own", () => {
    using rig = new ReflectorRig({ ratePerSecond: 0.01 });
    const verdict = (source: string) => rig.ingress(requestFrame({ payload, source })).retval;
    expect([verdict(SENDER4), verdict(SENDER4), verdict("192.0.2.9"), verdict(SENDER4)]).toEqual([
      REDIRECT,
      DROP,
      REDIRECT,
      DROP,
    ]);
    expect(rig.counters()).toEqual({ reflected: 2n, rate_limited: 2n });
  });

  test.each([1, 50])("--rate-limit %i: requests that come a little early are answered", (ratePerSecond) => {
    using rig = new ReflectorRig({ ratePerSecond });
    const verdict = () => rig.ingress(requestFrame({ payload })).retval;
    const rates = rig.object.map("rates");
    expect(verdict()).toBe(REDIRECT);
    const [source] = [...rates.keys()];
    if (!source) throw new Error("no rate is kept");
    rates.set(source, monotonicNow() + 95_000_000n);
    expect(verdict()).toBe(REDIRECT);
    rates.set(source, monotonicNow() + 3_600_000_000_000n);
    expect(verdict()).toBe(DROP);
    expect(rig.counters()).toEqual({ reflected: 2n, rate_limited: 1n });
  });

  test("stateful: every session counts its answers, a full table answers no new one", () => {
    using rig = new ReflectorRig({ stateful: true, sessions: 2 });
    const numbers = (spec: Partial<RequestSpec>, ssid = 1, sequence = 90) => {
      const frame = requestFrame({ ...spec, payload: openRequest(sequence, ssid) });
      const said = decodeReflectorPacket("unauthenticated", payloadOf(rig.reflect(frame)));
      return [said?.sequence, said?.senderSequence];
    };
    expect([numbers({}), numbers({}, 1, 93), numbers({}, 2), numbers({}, 1, 92)]).toEqual([
      [0, 90],
      [1, 93],
      [0, 90],
      [2, 92],
    ]);
    expect(rig.ingress(requestFrame({ payload: openRequest(1, 3) })).retval).toBe(DROP);
    expect(rig.counters()).toEqual({ reflected: 4n, stamped: 4n, table_full: 1n });
    // what is refused takes no number
    expect(rig.ingress(requestFrame({ payload: openRequest(1, 1).subarray(0, 13) })).retval).toBe(PASS);
    expect(numbers({})).toEqual([3, 90]);
  });

  test("packets that are not ours take no time stamp at egress", () => {
    using rig = new ReflectorRig();
    const frame = requestFrame({ payload, sourcePort: 862 });
    const { retval, data } = rig.object.program("stamp_answer").testRun({ data: frame, ctx: { mark: 5 } });
    expect([retval, data]).toEqual([PASS, frame]);
    expect(rig.counters()).toEqual({});
  });
});

describePrivileged("authenticated", () => {
  const closed = (sequence = 7, timestamp = 1n, ssid = 0x1234) => {
    const octets = encodeSenderPacket("authenticated", { sequence, timestamp, errorEstimate: 0x9501, ssid });
    sealPacket(octets, KEY);
    return octets;
  };

  test.each([4, 6] as const)("IPv%i: checks, answers, and signs with T3 inside", (family) => {
    using rig = new ReflectorRig({ authenticated: true });
    for (const extra of [0, 5]) {
      const octets = Uint8Array.from([...closed(), ...new Array(extra).fill(0)]);
      const answer = rig.reflect(requestFrame({ payload: octets, family }));
      const said = decodeReflectorPacket("authenticated", payloadOf(answer));
      if (!said) throw new Error("no answer");
      expect(isSealed(payloadOf(answer), KEY)).toBe(true);
      expect(udpChecksum(answer)).toBe(0);
      expect([...payloadOf(answer).subarray(0, 96)]).toEqual([
        ...encodeReflectorPacket("authenticated", said).subarray(0, 96),
      ]);
      expect(said).toMatchObject({ sequence: 7, senderSequence: 7, senderTimestamp: 1n, ssid: 0x1234, senderTtl: 64 });
      expect((near(said.receiveTimestamp) ?? 0n) <= (near(said.timestamp) ?? 0n)).toBe(true);
      // an answer is not answered
      expect(rig.ingress(requestFrame({ payload: payloadOf(answer), family })).retval).toBe(PASS);
    }
    expect(rig.counters()).toEqual({ reflected: 2n, stamped: 2n, answer: 2n });
  });

  test("reserved octets are signed and ignored", () => {
    const timestamp = 0xee00_0000_0000_0000n;
    using rig = new ReflectorRig({ authenticated: true });
    const octets = encodeSenderPacket("authenticated", { sequence: 1, timestamp, errorEstimate: 1, ssid: 9 });
    octets.fill(0xff, 4, 16);
    octets.fill(0xff, 28, 96);
    sealPacket(octets, KEY);
    const answer = payloadOf(rig.reflect(requestFrame({ payload: octets })));
    const said = decodeReflectorPacket("authenticated", answer);
    if (!said) throw new Error("no answer");
    expect(isSealed(answer, KEY)).toBe(true);
    expect([...answer.subarray(0, 96)]).toEqual([...encodeReflectorPacket("authenticated", said).subarray(0, 96)]);
  });

  test("a wrong HMAC in any of its bits, and an unauthenticated request, are not answered", () => {
    using rig = new ReflectorRig({ authenticated: true });
    for (const at of [0, 5, 16, 27, 60, 95, 96, 111]) {
      const octets = closed();
      octets[at] = (octets[at] ?? 0) ^ 1;
      expect(rig.ingress(requestFrame({ payload: octets })).retval).toBe(DROP);
    }
    expect(rig.ingress(requestFrame({ payload })).retval).toBe(PASS);
    expect(rig.counters()).toEqual({ bad_hmac: 8n, malformed: 1n });
  });

  test("stateful: what is repeated takes no number, what comes late does, a sender that starts anew does", () => {
    using rig = new ReflectorRig({ authenticated: true, stateful: true });
    const verdict = (sequence: number, time: bigint) =>
      rig.ingress(requestFrame({ payload: closed(sequence, time) })).retval;
    const run: [number, bigint, number][] = [
      [5, 50n, REDIRECT],
      [5, 50n, DROP],
      [8, 80n, REDIRECT],
      [6, 60n, REDIRECT],
      [6, 60n, DROP],
      [5, 50n, DROP],
      [200, 200n, REDIRECT],
      [7, 70n, DROP],
      [0, 300n, REDIRECT],
      [1, 310n, REDIRECT],
      [200, 200n, DROP],
    ];
    for (const [sequence, time, expected] of run)
      expect([sequence, time, verdict(sequence, time)]).toEqual([sequence, time, expected]);
    expect(rig.counters()).toEqual({ reflected: 6n, replayed: 5n });
    const [[, session] = []] = [...rig.object.map("sessions").entries()];
    expect(session?.answered).toBe(6n);
  });

  test("stateful: T1 goes on over the end of an era of NTP", () => {
    using rig = new ReflectorRig({ authenticated: true, stateful: true });
    const run: [number, bigint, number][] = [
      [1, 0xffff_ffff_4000_0000n, REDIRECT],
      [2, 0xffff_ffff_c000_0000n, REDIRECT],
      [3, 0x0000_0000_4000_0000n, REDIRECT],
      [3, 0x0000_0000_4000_0000n, DROP],
      [2, 0xffff_ffff_c000_0000n, DROP],
      [200, 0x0000_0001_4000_0000n, REDIRECT],
      [1, 0xffff_ffff_4000_0000n, DROP],
    ];
    const verdicts = run.map(
      ([sequence, time]) => rig.ingress(requestFrame({ payload: closed(sequence, time) })).retval,
    );
    expect(verdicts).toEqual(run.map(([, , verdict]) => verdict));
  });

  test("observed is what is answered, in place or by user space, and nothing else", () => {
    using rig = new ReflectorRig({ authenticated: true, stateful: true, observe: true, sessions: 1 });
    using ring = rig.object.ringBuffer("observed");
    const verdict = (payload: Uint8Array) => rig.ingress(requestFrame({ payload })).retval;
    const withTlv = (sequence: number, time: bigint, length = 4) => {
      const tlv = [0x80, 2, length >> 8, length & 0xff, ...new Array(length).fill(0)];
      return Uint8Array.from([...closed(sequence, time), ...tlv]);
    };
    const verdicts = [closed(1, 11n), closed(1, 11n), withTlv(2, 12n), withTlv(2, 12n), closed(3, 13n, 9)].map(verdict);
    verdicts.push(verdict(withTlv(4, 14n, 3500)));
    expect(verdicts).toEqual([REDIRECT, DROP, DROP, DROP, DROP, DROP]);
    expect([...(ring.read() ?? [])].map(({ sent }) => sent)).toEqual([11n, 12n]);
    expect(rig.counters()).toEqual({ reflected: 1n, user_path: 1n, replayed: 2n, table_full: 1n, too_long: 1n });
  });
});

function withOctet(frame: Uint8Array, at: number, octet: number): Uint8Array {
  const copy = frame.slice();
  copy[at] = octet;
  return copy;
}
