import { parseAddress } from "@waymark/packet";
import fc from "fast-check";
import { errorEstimateBits, parseErrorEstimate } from "../codec/error-estimate.ts";
import { isSealed, sealPacket } from "../codec/hmac.ts";
import { BASE_LENGTH, type Mode } from "../codec/mode.ts";
import { decodeReflectorPacket } from "../codec/reflector-packet.ts";
import { readReplyTlvs } from "../codec/reply-tlv.ts";
import { encodeRequestTlvs, type RequestTlv } from "../codec/request-tlv.ts";
import { encodeSenderPacket } from "../codec/sender-packet.ts";
import { encodeTime } from "../codec/time-stamp.ts";
import { SYNC_SOURCE, TIMESTAMP_METHOD } from "../codec/timestamp-method.ts";
import { TLV_FLAG, TLV_TYPE, writeTlv } from "../codec/tlv.ts";
import { CAUTIOUS_POLICY, type ReflectorPolicy } from "./policy.ts";
import { type Answered, type Reflection, reflect } from "./reflect.ts";
import type { ReflectorClock, Request } from "./request.ts";

const KEY = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const T1 = 1_700_000_000_123_456_789n;
const address = (text: string) => parseAddress(text)!;
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const SENDER = { address: address("192.0.2.1"), port: 4862 };
const REFLECTOR = { address: address("192.0.2.2"), port: 862 };
const CLOCK: ReflectorClock = {
  transmitNs: T1 + 260_000n,
  errorEstimate: parseErrorEstimate(0x9501),
  taiOffsetS: 37,
  syncSource: SYNC_SOURCE.ntp,
  receiveMethod: TIMESTAMP_METHOD.swLocal,
  transmitMethod: TIMESTAMP_METHOD.swLocal,
};
const OPEN: ReflectorPolicy = { ...CAUTIOUS_POLICY, key: () => KEY };
const SEALED: ReflectorPolicy = { ...OPEN, mode: "authenticated" };
const SESSION = { sequence: 3, received: 5, transmitted: 4 };

function octetsOf(mode: Mode, ...tlvs: readonly Uint8Array[]): Uint8Array {
  const packet = { sequence: 7, timestamp: encodeTime(T1, "ntp", 0), errorEstimate: 0x9501, ssid: 0x1234 };
  const octets = Uint8Array.from([...encodeSenderPacket(mode, packet), ...tlvs.flatMap((tlv) => [...tlv])]);
  if (mode === "authenticated") sealPacket(octets, KEY);
  return octets;
}

function request(octets: Uint8Array, more: Partial<Request> = {}): Request {
  return {
    octets,
    receivedNs: T1 + 250_000n,
    source: SENDER,
    destination: REFLECTOR,
    ttl: 64,
    dscp: 46,
    ecn: 1,
    ...more,
  };
}

function answer(octets: Uint8Array, policy = OPEN, more: Partial<Request> = {}): Answered {
  const reflection = reflect(request(octets, more), policy, CLOCK);
  if (reflection.kind !== "answer") throw new Error(`not answered: ${reflection.reason}`);
  return reflection;
}

const reason = (reflection: Reflection) => (reflection.kind === "none" ? reflection.reason : reflection.kind);
/** The TLVs of an answer to these of a request, as octets. */
const tlvsOf = (tlvs: readonly RequestTlv[], more: Partial<Request> = {}, policy = OPEN) =>
  hex(answer(octetsOf("unauthenticated", encodeRequestTlvs(tlvs, 7)), policy, more).octets.subarray(44));

describe("the known answers, octet for octet", () => {
  test("unauthenticated and stateful", () => {
    const { octets } = answer(octetsOf("unauthenticated"), OPEN, { session: SESSION });
    expect(hex(octets)).toBe(
      "00000003e8fe6f801fabe74a95011234e8fe6f801fab3f8500000007e8fe6f801f9add379501000040000000",
    );
  });

  test("authenticated and stateful", () => {
    const { octets } = answer(octetsOf("authenticated"), SEALED, { session: SESSION });
    expect(hex(octets.subarray(96))).toBe("4efb7a283e6e659da4fceb4c470302fb");
    expect(octets).toHaveLength(112);
  });

  test("Class of Service", () => {
    expect(tlvsOf([{ kind: "class-of-service", dscp: 46 }])).toBe("00040004bae40000");
  });
});

describe("the base packet", () => {
  test("a stateless reflector copies the number", () => {
    expect(decodeReflectorPacket("unauthenticated", answer(octetsOf("unauthenticated")).octets)).toMatchObject({
      sequence: 7,
      senderSequence: 7,
      ssid: 0x1234,
      senderTtl: 64,
    });
  });

  test("its own clock's Error Estimate and format stand with T2 and T3, the sender's with T1", () => {
    const errorEstimate = { synchronised: false, format: "ptp", scale: 3, multiplier: 9 } as const;
    const reflection = reflect(request(octetsOf("unauthenticated")), OPEN, { ...CLOCK, errorEstimate });
    const packet = decodeReflectorPacket("unauthenticated", (reflection as Answered).octets)!;
    expect(packet).toMatchObject({
      errorEstimate: errorEstimateBits(errorEstimate),
      senderErrorEstimate: 0x9501,
      receiveTimestamp: encodeTime(T1 + 250_000n, "ptp", 37),
      senderTimestamp: encodeTime(T1, "ntp", 0),
    });
  });

  test.each([14, 27, 43])("a request of %i octets gets the 44 of the base packet", (length) => {
    const { octets } = answer(octetsOf("unauthenticated").subarray(0, length));
    expect(octets).toHaveLength(44);
    expect(decodeReflectorPacket("unauthenticated", octets)).toMatchObject({ senderSequence: 7, ssid: 0 });
  });

  test("the answer goes back to where the request came from, from where it went to", () => {
    expect(answer(octetsOf("unauthenticated"))).toMatchObject({
      source: REFLECTOR,
      destination: SENDER,
      sameLink: false,
    });
  });

  test("DSCP and ECN by policy", () => {
    const marks = (policy: ReflectorPolicy) => {
      const { dscp, ecn } = answer(octetsOf("unauthenticated"), policy);
      return [dscp, ecn];
    };
    expect(marks(OPEN)).toEqual([46, 0]);
    expect(marks({ ...OPEN, dscp: 10, copyEcn: true })).toEqual([10, 1]);
  });
});

describe("what is not answered", () => {
  test("less than a request", () => {
    expect(reason(reflect(request(new Uint8Array(13)), OPEN, CLOCK))).toBe("malformed");
    expect(reason(reflect(request(octetsOf("authenticated").subarray(0, 111)), SEALED, CLOCK))).toBe("malformed");
  });

  test.each<[Mode, ReflectorPolicy]>([
    ["unauthenticated", OPEN],
    ["authenticated", SEALED],
  ])("an answer, one's own or another reflector's (%s)", (mode, policy) => {
    const first = answer(octetsOf(mode), policy).octets;
    expect(reason(reflect(request(first), policy, CLOCK))).toBe("answer");
  });

  test("an answer to a TWAMP Light request of 14 octets", () => {
    const first = answer(octetsOf("unauthenticated").subarray(0, 14)).octets;
    expect(reason(reflect(request(first), OPEN, CLOCK))).toBe("answer");
  });

  test("a wrong HMAC, or no key", () => {
    const octets = octetsOf("authenticated");
    expect(reason(reflect(request(octets), { ...SEALED, key: () => undefined }, CLOCK))).toBe("bad_hmac");
    for (let at = 0; at < 112; at++) {
      const changed = octets.slice();
      changed[at]! ^= 0x80;
      expect(["bad_hmac", "answer"]).toContain(reason(reflect(request(changed), SEALED, CLOCK)));
    }
  });

  test("a request for no reply", () => {
    const octets = octetsOf(
      "unauthenticated",
      encodeRequestTlvs([{ kind: "return-path", path: { kind: "no-reply" } }], 7),
    );
    expect(reason(reflect(request(octets), OPEN, CLOCK))).toBe("no_reply_requested");
  });
});

describe("TLVs", () => {
  test("Extra Padding comes back as it was", () => {
    expect(tlvsOf([{ kind: "extra-padding", content: Uint8Array.of(1, 2, 3) }])).toBe("00010003010203");
  });

  test("Location tells ports and addresses by the specific types, in the same length", () => {
    const tlv: RequestTlv = { kind: "location", questions: ["source-mac", "destination-ip", "source-ip"] };
    const sourceMac = Uint8Array.of(2, 0, 0, 0, 0, 9);
    expect(tlvsOf([tlv], { sourceMac })).toBe(
      `00020038${"035e12fe"}00020008${"020000000009"}000000050010${"c0000202"}${"00".repeat(12)}00080010${"c0000201"}${"00".repeat(12)}`,
    );
    expect(tlvsOf([tlv]).slice(16, 40)).toBe(`00030008${"00".repeat(8)}`);
    expect(tlvsOf([tlv], { sourceMac }, { ...OPEN, tellsLocation: false, tellsMac: false })).toBe(
      `00020038${"00000000"}00020008${"00".repeat(8)}00050010${"00".repeat(16)}00080010${"00".repeat(16)}`,
    );
  });

  test("Location tells IPv6 addresses whole", () => {
    const [from, to] = ["2001:db8::1", "2001:db8::2"].map(address);
    const octets = octetsOf(
      "unauthenticated",
      encodeRequestTlvs([{ kind: "location", questions: ["source-ip", "destination-ip"] }], 7),
    );
    const reflected = answer(octets, OPEN, {
      source: { address: from!, port: 1 },
      destination: { address: to!, port: 2 },
    });
    const [location] = readReplyTlvs("unauthenticated", reflected.octets).tlvs;
    expect(location).toEqual({
      kind: "location",
      location: { destinationPort: 2, sourcePort: 1, sourceAddress: from, destinationAddress: to },
    });
  });

  test("Timestamp Information says how", () => {
    expect(tlvsOf([{ kind: "timestamp-information" }])).toBe("0003000401020102");
  });

  test("Class of Service: a DSCP that is not allowed is refused, and the request's is used", () => {
    const octets = octetsOf("unauthenticated", encodeRequestTlvs([{ kind: "class-of-service", dscp: 10 }], 7));
    expect(answer(octets).dscp).toBe(10);
    const refused = answer(octets, { ...OPEN, isDscpAllowed: (dscp) => dscp === 0, dscp: 0 });
    expect(refused.dscp).toBe(46);
    expect(hex(refused.octets.subarray(44))).toBe("000400042ae50000");
  });

  test("Direct Measurement counts the session's packets; a stateless reflector has none to count", () => {
    const tlv: RequestTlv = { kind: "direct-measurement", sentPackets: 1000 };
    expect(tlvsOf([tlv], { session: SESSION })).toBe("0005000c000003e80000000500000004");
    expect(tlvsOf([tlv])).toBe("8005000c000003e80000000000000000");
  });

  test("Access Report comes back, with another ID it is not understood", () => {
    expect(tlvsOf([{ kind: "access-report", accessId: 1, returnCode: 2 }])).toBe("0006000410020000");
    expect(tlvsOf([{ kind: "access-report", accessId: 3, returnCode: 2 }])).toBe("8006000430020000");
  });

  test("Follow-Up Telemetry tells the answer before; zero without a session or an earlier answer", () => {
    const tlv: RequestTlv = { kind: "follow-up-telemetry" };
    const previous = { sequence: 2, transmittedNs: T1, method: TIMESTAMP_METHOD.swLocal };
    expect(tlvsOf([tlv], { session: { ...SESSION, previous } })).toBe("0007001000000002e8fe6f801f9add3702000000");
    expect(tlvsOf([tlv], { session: SESSION })).toBe(`00070010${"00".repeat(16)}`);
    expect(tlvsOf([tlv])).toBe(`00070010${"00".repeat(16)}`);
    const wrong = writeTlv(TLV_FLAG.unrecognized, TLV_TYPE.followUpTelemetry, new Uint8Array(20).fill(7));
    const { octets } = answer(octetsOf("unauthenticated", wrong));
    expect(hex(octets.subarray(44))).toBe(`40070014${"00".repeat(12)}${"07".repeat(8)}`);
  });

  test("Destination Node Address: the answer comes from there if it is ours, else it is not understood", () => {
    const tlv: RequestTlv = { kind: "destination-address", address: address("198.51.100.9") };
    const octets = octetsOf("unauthenticated", encodeRequestTlvs([tlv], 7));
    const own = answer(octets, { ...OPEN, isOwnAddress: () => true });
    expect(hex(own.octets.subarray(44))).toBe("00090004c6336409");
    expect(own.source).toEqual({ address: address("198.51.100.9"), port: 862 });
    expect(hex(answer(octets).octets.subarray(44))).toBe("80090004c6336409");
    expect(answer(octets).source).toEqual(REFLECTOR);
  });

  test("Return Path: to an address only if the policy allows it", () => {
    const path = { kind: "address", address: address("203.0.113.5") } as const;
    const octets = octetsOf("unauthenticated", encodeRequestTlvs([{ kind: "return-path", path }], 7));
    const refused = answer(octets);
    expect([refused.destination, hex(refused.octets.subarray(44))]).toEqual([SENDER, "800a000880020004cb007105"]);
    const allowed = answer(octets, { ...OPEN, isReturnAddressAllowed: () => true });
    expect(allowed.destination).toEqual({ address: path.address, port: SENDER.port });
    expect(hex(allowed.octets.subarray(44))).toBe("000a000800020004cb007105");
  });

  test("Return Path: same link; segment lists are not understood; a Control Code is alone", () => {
    const same = octetsOf(
      "unauthenticated",
      encodeRequestTlvs([{ kind: "return-path", path: { kind: "same-link" } }], 7),
    );
    expect(answer(same)).toMatchObject({ sameLink: true, tlvs: { understood: 1 } });
    const sub = (type: number, length: number) => writeTlv(0x80, type, new Uint8Array(length));
    const flags = (...subs: readonly Uint8Array[]) => {
      const value = Uint8Array.from(subs.flatMap((each) => [...each]));
      return answer(octetsOf("unauthenticated", writeTlv(0x80, TLV_TYPE.returnPath, value))).octets[44];
    };
    expect([flags(sub(3, 4)), flags(sub(4, 16)), flags()]).toEqual([0x80, 0x80, 0x80]);
    expect([flags(sub(1, 4), sub(2, 4)), flags(sub(2, 4), sub(2, 4)), flags(sub(1, 3))]).toEqual([0x40, 0x40, 0x40]);
  });

  test("an unknown type comes back with U and is stepped over; reserved flags are not sent back", () => {
    const unknown = writeTlv(0x1f, 200, Uint8Array.of(1, 2));
    const known = writeTlv(0x9f, TLV_TYPE.extraPadding, Uint8Array.of(3));
    const reflected = answer(octetsOf("unauthenticated", unknown, known));
    expect(hex(reflected.octets.subarray(44))).toBe("80c80002010200010001" + "03");
    expect(reflected.tlvs).toEqual({ understood: 1, unrecognized: 1, malformed: 0, integrityFailed: 0 });
  });

  test("a length that its type does not allow: M, and the rest comes back untouched", () => {
    const wrong = writeTlv(0x80, TLV_TYPE.classOfService, Uint8Array.of(1, 2, 3));
    const rest = encodeRequestTlvs([{ kind: "timestamp-information" }], 7);
    expect(hex(answer(octetsOf("unauthenticated", wrong, rest)).octets.subarray(44))).toBe(
      `40040003010203${hex(rest)}`,
    );
  });

  test("a TLV that overruns the packet: M", () => {
    const overrun = Uint8Array.of(0x80, TLV_TYPE.extraPadding, 0, 9, 1, 2);
    const reflected = answer(octetsOf("unauthenticated", overrun));
    expect(hex(reflected.octets.subarray(44))).toBe("c00100090102");
    expect(reflected.tlvs.malformed).toBe(1);
  });

  test("a sub-TLV of a length that its type does not allow makes its Location malformed", () => {
    const value = Uint8Array.from([0, 0, 0, 0, ...writeTlv(0x80, 1, new Uint8Array(7))]);
    const { octets } = answer(octetsOf("unauthenticated", writeTlv(0x80, TLV_TYPE.location, value)));
    expect(hex(octets.subarray(44))).toBe(`4002000f00000000c0010007${"00".repeat(7)}`);
  });
});

describe("HMAC TLV", () => {
  const tlvs: readonly RequestTlv[] = [
    { kind: "direct-measurement", sentPackets: 1 },
    { kind: "extra-padding", content: new Uint8Array(5) },
  ];

  test.each<[Mode, ReflectorPolicy]>([
    ["unauthenticated", OPEN],
    ["authenticated", SEALED],
  ])("right: all TLVs are used, and the answer has one that is right for its own number (%s)", (mode, policy) => {
    const { octets } = answer(octetsOf(mode, encodeRequestTlvs(tlvs, 7, KEY)), policy, { session: SESSION });
    const read = readReplyTlvs(mode, octets, KEY);
    expect(read.integrity).toBe("verified");
    expect(read.tlvs).toEqual([
      { kind: "direct-measurement", senderTransmitted: 1, reflectorReceived: 5, reflectorTransmitted: 4 },
      { kind: "extra-padding", length: 5 },
    ]);
    if (mode === "authenticated") expect(isSealed(octets, KEY)).toBe(true);
  });

  test("wrong, missing, or impossible to verify: all TLVs come back as they were, each with I, and none is used", () => {
    const noReply: RequestTlv = { kind: "return-path", path: { kind: "no-reply" } };
    const sealed = encodeRequestTlvs([noReply, { kind: "class-of-service", dscp: 1 }], 8, KEY);
    const reflected = answer(octetsOf("authenticated", sealed), SEALED);
    expect(hex(reflected.octets.subarray(112))).toBe(hex(sealed).replaceAll(/80(0a|04|08)00/g, "a0$100"));
    expect(reflected.tlvs.integrityFailed).toBe(3);
    expect(reflected.dscp).toBe(46);
    const missing = answer(octetsOf("authenticated", encodeRequestTlvs([noReply], 7)), SEALED);
    expect(missing.octets[112]).toBe(0xa0);
    const keyless = answer(octetsOf("unauthenticated", encodeRequestTlvs([noReply], 7, KEY)), CAUTIOUS_POLICY);
    expect(keyless.octets[44]).toBe(0xa0);
  });

  test("a single Extra Padding needs none", () => {
    const { octets } = answer(octetsOf("authenticated", encodeRequestTlvs([tlvs[1]!], 7, KEY)), SEALED);
    expect(hex(octets.subarray(112))).toBe("000100050000000000");
  });
});

describe("whatever arrives", () => {
  const policy = fc.constantFrom(OPEN, SEALED, CAUTIOUS_POLICY, {
    ...SEALED,
    isOwnAddress: () => true,
    isReturnAddressAllowed: () => true,
  });
  const session = fc.option(fc.constant(SESSION), { nil: undefined });
  const tlv = fc
    .tuple(
      fc.integer({ min: 0, max: 255 }),
      fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(254)),
      fc.uint8Array({ maxLength: 24 }),
    )
    .map(([flags, type, value]) => writeTlv(flags, type, value));
  const tail = fc.tuple(fc.array(tlv, { maxLength: 6 }), fc.uint8Array({ maxLength: 6 }));
  const shaped = tail.chain(([tlvs, rest]) =>
    fc.constantFrom<Mode>("unauthenticated", "authenticated").map((mode) => octetsOf(mode, ...tlvs, rest)),
  );
  const anything = fc.oneof(fc.uint8Array({ maxLength: 1500 }), shaped);

  test("an answer is never longer than the request or the base packet, and is answered by nobody", () => {
    fc.assert(
      fc.property(anything, policy, session, (octets, each, state) => {
        const before = octets.slice();
        const reflection = reflect(request(octets, { session: state }), each, CLOCK);
        expect(octets).toEqual(before);
        if (reflection.kind !== "answer") return;
        expect(reflection.octets).toHaveLength(Math.max(octets.length, BASE_LENGTH[each.mode]));
        expect(reason(reflect(request(reflection.octets), each, CLOCK))).toBe("answer");
      }),
      { numRuns: 10_000 },
    );
  });

  test("what the reflector counted is what the sender reads", () => {
    fc.assert(
      fc.property(shaped, session, (octets, state) => {
        const reflection = reflect(request(octets, { session: state }), OPEN, CLOCK);
        if (reflection.kind !== "answer") return;
        const read = readReplyTlvs("unauthenticated", reflection.octets, KEY);
        const { understood, unrecognized, malformed, integrityFailed } = reflection.tlvs;
        expect(malformed).toBeLessThanOrEqual(1);
        if (integrityFailed > 0) expect([read.integrity, understood, unrecognized]).toEqual(["failed", 0, 0]);
        else expect(read.unrecognized.length).toBe(unrecognized);
      }),
    );
  });
});
