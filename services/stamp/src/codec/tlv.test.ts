import { parseAddress } from "@waymark/packet";
import fc from "fast-check";
import { BASE_LENGTH, type Mode } from "./mode.ts";
import { readReplyTlvs } from "./reply-tlv.ts";
import { encodeRequestTlvs, type RequestTlv, sequenceOctets } from "./request-tlv.ts";
import { hasValidLength, readTlvs, TLV_FLAG, TLV_TYPE, writeTlv } from "./tlv.ts";
import { tlvIntegrity } from "./tlv-hmac.ts";

const KEY = new TextEncoder().encode("0123456789abcdef");
const octets = (maxLength: number) => fc.uint8Array({ maxLength });
const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const mode = fc.constantFrom<Mode>("unauthenticated", "authenticated");

const requestTlv: fc.Arbitrary<RequestTlv> = fc.oneof(
  octets(40).map((content) => ({ kind: "extra-padding" as const, content })),
  fc
    .subarray(["source-mac", "destination-ip", "source-ip"] as const)
    .map((questions) => ({ kind: "location" as const, questions })),
  fc.constant({ kind: "timestamp-information" as const }),
  uint(6).map((dscp) => ({ kind: "class-of-service" as const, dscp })),
  uint(32).map((sentPackets) => ({ kind: "direct-measurement" as const, sentPackets })),
  fc
    .tuple(uint(4), uint(8))
    .map(([accessId, returnCode]) => ({ kind: "access-report" as const, accessId, returnCode })),
  fc.constant({ kind: "follow-up-telemetry" as const }),
  fc
    .constantFrom("192.0.2.1", "2001:db8::1")
    .map((text) => ({ kind: "destination-address" as const, address: parseAddress(text)! })),
  fc
    .constantFrom(
      { kind: "no-reply" as const },
      { kind: "same-link" as const },
      { kind: "address" as const, address: parseAddress("192.0.2.1")! },
    )
    .map((path) => ({ kind: "return-path" as const, path })),
);

test("TLVs read are the TLVs written, with lengths that their types allow, U set and nothing else", () => {
  fc.assert(
    fc.property(fc.array(requestTlv, { maxLength: 8 }), uint(32), (tlvs, sequence) => {
      const { tlvs: read, brokenAt } = readTlvs(encodeRequestTlvs(tlvs, sequence));
      expect(brokenAt).toBeUndefined();
      expect(read).toHaveLength(tlvs.length);
      expect(read.every((tlv) => tlv.flags === TLV_FLAG.unrecognized && hasValidLength(tlv))).toBe(true);
    }),
  );
});

test("any octets are TLVs, and perhaps a broken rest; none is lost", () => {
  fc.assert(
    fc.property(octets(300), (bytes) => {
      const { tlvs, brokenAt } = readTlvs(bytes);
      const whole = tlvs.reduce((length, tlv) => length + 4 + tlv.value.length, 0);
      expect(whole).toBe(brokenAt ?? bytes.length);
      for (const tlv of tlvs) {
        expect(writeTlv(tlv.flags, tlv.type, tlv.value)).toEqual(bytes.slice(tlv.at, tlv.at + 4 + tlv.value.length));
      }
    }),
  );
});

test("no octets throw when they are read as an answer", () => {
  fc.assert(
    fc.property(mode, octets(300), fc.option(fc.constant(KEY), { nil: undefined }), (which, bytes, key) => {
      const packet = new Uint8Array(BASE_LENGTH[which] + bytes.length);
      packet.set(bytes, BASE_LENGTH[which]);
      readReplyTlvs(which, packet, key);
    }),
  );
});

test("private types carry an enterprise number", () => {
  for (const type of [252, 253, 254]) {
    expect(hasValidLength({ at: 0, flags: 0, type, value: new Uint8Array(3) })).toBe(false);
    expect(hasValidLength({ at: 0, flags: 0, type, value: new Uint8Array(4) })).toBe(true);
  }
});

describe("HMAC TLV", () => {
  const COS: RequestTlv = { kind: "class-of-service", dscp: 10 };
  const PADDING: RequestTlv = { kind: "extra-padding", content: Uint8Array.of(1, 2, 3) };
  const integrity = (
    bytes: Uint8Array,
    sequence = 1,
    key: Uint8Array | undefined = KEY,
    which: Mode = "authenticated",
  ) => tlvIntegrity(which, sequenceOctets(sequence), bytes, key);

  test("protects all TLVs before it and the sequence number, not the padding behind it", () => {
    const sealed = encodeRequestTlvs([COS, PADDING], 1, KEY);
    expect(integrity(sealed)).toBe("verified");
    expect(integrity(sealed, 2)).toBe("failed");
    expect(integrity(sealed, 1, KEY.subarray(1))).toBe("failed");
    for (let at = 0; at < sealed.length; at++) {
      const changed = sealed.slice();
      changed[at]! ^= 0x01;
      // the HMAC TLV at 8 has flags of its own, so has the padding at 28; as another type or broken it may not stand there
      const isFree = at === 8 || at === 28 || at >= 32;
      expect([at, integrity(changed)]).toEqual([at, isFree ? "verified" : "failed"]);
    }
  });

  test("is needed in authenticated mode unless a single Extra Padding is all there is", () => {
    expect(integrity(encodeRequestTlvs([], 1))).toBe("none");
    expect(integrity(encodeRequestTlvs([PADDING], 1))).toBe("none");
    expect(integrity(encodeRequestTlvs([PADDING, PADDING], 1))).toBe("failed");
    expect(integrity(encodeRequestTlvs([COS], 1))).toBe("failed");
    expect(integrity(encodeRequestTlvs([COS], 1), 1, KEY, "unauthenticated")).toBe("none");
    expect(encodeRequestTlvs([PADDING], 1, KEY)).toEqual(encodeRequestTlvs([PADDING], 1));
  });

  test("is verified in unauthenticated mode where it is there; without a key it fails", () => {
    const sealed = encodeRequestTlvs([COS], 1, KEY);
    expect(integrity(sealed, 1, KEY, "unauthenticated")).toBe("verified");
    expect(tlvIntegrity("unauthenticated", sequenceOctets(1), sealed, undefined)).toBe("failed");
  });

  test("fails in any other place", () => {
    const sealed = encodeRequestTlvs([COS], 1, KEY);
    const cos = encodeRequestTlvs([COS], 1);
    expect(integrity(Uint8Array.of(...sealed, ...cos))).toBe("failed");
    expect(integrity(Uint8Array.of(...sealed, ...sealed.subarray(8)))).toBe("failed");
    expect(integrity(Uint8Array.of(...sealed, 0))).toBe("failed");
  });
});

describe("an answer's TLVs", () => {
  const answer = (...tlvs: readonly Uint8Array[]) =>
    Uint8Array.from([...new Uint8Array(44), ...tlvs.flatMap((tlv) => [...tlv])]);
  const cos = (flags: number) => writeTlv(flags, TLV_TYPE.classOfService, Uint8Array.of(0xba, 0xe4, 0, 0));
  const kinds = (packet: Uint8Array) => readReplyTlvs("unauthenticated", packet).tlvs.map((tlv) => tlv.kind);

  test("U skips one, M ends the reading, I discards them all", () => {
    expect(kinds(answer(cos(0), cos(0)))).toHaveLength(2);
    const skipped = readReplyTlvs("unauthenticated", answer(cos(TLV_FLAG.unrecognized), cos(0)));
    expect([skipped.tlvs.length, skipped.unrecognized]).toEqual([1, [TLV_TYPE.classOfService]]);
    const ended = readReplyTlvs("unauthenticated", answer(cos(0), cos(TLV_FLAG.malformed), cos(0)));
    expect([ended.tlvs.length, ended.malformed]).toEqual([1, true]);
    const discarded = readReplyTlvs("unauthenticated", answer(cos(0), cos(TLV_FLAG.integrity)));
    expect([discarded.tlvs.length, discarded.integrity]).toEqual([0, "failed"]);
  });

  test("a length that a type does not allow ends the reading; reserved flags are ignored", () => {
    expect(
      readReplyTlvs("unauthenticated", answer(writeTlv(0, TLV_TYPE.classOfService, new Uint8Array(3)))).malformed,
    ).toBe(true);
    expect(kinds(answer(cos(0x1f)))).toEqual(["class-of-service"]);
  });

  test("a Class of Service tells both ways", () => {
    expect(readReplyTlvs("unauthenticated", answer(cos(0))).tlvs).toEqual([
      {
        kind: "class-of-service",
        classOfService: { wantedDscp: 46, receivedDscp: 46, receivedEcn: 1, reversePathRefused: false },
      },
    ]);
  });
});
