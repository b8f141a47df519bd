import fc from "fast-check";
import { encodeClassOfService } from "./class-of-service.ts";
import { errorEstimateBits, parseErrorEstimate } from "./error-estimate.ts";
import { isSealed, sealPacket } from "./hmac.ts";
import { BASE_LENGTH, type Mode } from "./mode.ts";
import { decodeReflectorPacket, encodeReflectorPacket, type ReflectorPacket } from "./reflector-packet.ts";
import { encodeRequestTlvs } from "./request-tlv.ts";
import { decodeSenderPacket, encodeSenderPacket, type SenderPacket } from "./sender-packet.ts";
import { encodeTime } from "./time-stamp.ts";
import { writeTlv } from "./tlv.ts";

const KEY = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const T1 = 1_700_000_000_123_456_789n;
const ntp = (unixNs: bigint) => encodeTime(unixNs, "ntp", 0);
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

const REQUEST: SenderPacket = { sequence: 7, timestamp: ntp(T1), errorEstimate: 0x9501, ssid: 0x1234 };
const ANSWER: ReflectorPacket = {
  sequence: 3,
  timestamp: ntp(T1 + 260_000n),
  errorEstimate: 0x9501,
  ssid: 0x1234,
  receiveTimestamp: ntp(T1 + 250_000n),
  senderSequence: 7,
  senderTimestamp: ntp(T1),
  senderErrorEstimate: 0x9501,
  senderTtl: 64,
};

const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const mode = fc.constantFrom<Mode>("unauthenticated", "authenticated");
const senderPacket = fc.record({
  sequence: uint(32),
  timestamp: fc.bigInt(0n, 2n ** 64n - 1n),
  errorEstimate: uint(16),
  ssid: uint(16),
});
const reflectorPacket = fc.record({
  sequence: uint(32),
  timestamp: fc.bigInt(0n, 2n ** 64n - 1n),
  errorEstimate: uint(16),
  ssid: uint(16),
  receiveTimestamp: fc.bigInt(0n, 2n ** 64n - 1n),
  senderSequence: uint(32),
  senderTimestamp: fc.bigInt(0n, 2n ** 64n - 1n),
  senderErrorEstimate: uint(16),
  senderTtl: uint(8),
});

describe("the known packets, octet for octet", () => {
  test("unauthenticated", () => {
    expect(hex(encodeSenderPacket("unauthenticated", REQUEST))).toBe(
      "00000007e8fe6f801f9add379501123400000000000000000000000000000000000000000000000000000000",
    );
    expect(hex(encodeReflectorPacket("unauthenticated", ANSWER))).toBe(
      "00000003e8fe6f801fabe74a95011234e8fe6f801fab3f8500000007e8fe6f801f9add379501000040000000",
    );
  });

  test("authenticated", () => {
    const request = encodeSenderPacket("authenticated", REQUEST);
    sealPacket(request, KEY);
    expect(request).toHaveLength(112);
    expect(hex(request)).toBe(
      `00000007${"00".repeat(12)}e8fe6f801f9add3795011234${"00".repeat(68)}1e87f602bf9199f3b149d8bf381124c2`,
    );
    const answer = encodeReflectorPacket("authenticated", ANSWER);
    sealPacket(answer, KEY);
    expect(hex(answer)).toBe(
      `00000003${"00".repeat(12)}e8fe6f801fabe74a9501123400000000e8fe6f801fab3f85${"00".repeat(8)}00000007${"00".repeat(12)}` +
        `e8fe6f801f9add379501${"00".repeat(6)}40${"00".repeat(15)}4efb7a283e6e659da4fceb4c470302fb`,
    );
    expect([isSealed(request, KEY), isSealed(answer, KEY)]).toEqual([true, true]);
  });

  test("Error Estimate", () => {
    const estimate = { synchronised: true, format: "ntp", scale: 21, multiplier: 1 } as const;
    expect(errorEstimateBits(estimate)).toBe(0x9501);
    expect(parseErrorEstimate(0x9501)).toEqual(estimate);
  });

  test("TLVs", () => {
    const cos = { kind: "class-of-service", dscp: 46 } as const;
    const direct = { kind: "direct-measurement", sentPackets: 1000 } as const;
    expect(hex(encodeRequestTlvs([cos], 7))).toBe("80040004b8000000");
    expect(hex(encodeRequestTlvs([direct], 7))).toBe("8005000c000003e80000000000000000");
    expect(hex(encodeRequestTlvs([cos, direct], 7, KEY))).toBe(
      "80040004b8000000" + "8005000c000003e80000000000000000" + "8008001047ac6c8b00fbaaac14344e28761be50d",
    );
    const reflected = { wantedDscp: 46, receivedDscp: 46, receivedEcn: 1, reversePathRefused: false };
    expect(hex(writeTlv(0, 4, encodeClassOfService(reflected)))).toBe("00040004bae40000");
  });
});

describe("packets", () => {
  test("a request read is the request written; reserved octets are ignored", () => {
    fc.assert(
      fc.property(mode, senderPacket, fc.infiniteStream(uint(8)), (which, packet, noise) => {
        const octets = encodeSenderPacket(which, packet);
        expect(decodeSenderPacket(which, octets)).toEqual(packet);
        const reserved =
          which === "authenticated"
            ? [
                [4, 16],
                [28, 96],
              ]
            : [[16, 44]];
        for (const [from, to] of reserved) for (let at = from!; at < to!; at++) octets[at] = noise.next().value;
        expect(decodeSenderPacket(which, octets)).toEqual(packet);
      }),
    );
  });

  test("an answer read is the answer written; reserved octets are ignored", () => {
    fc.assert(
      fc.property(mode, reflectorPacket, fc.infiniteStream(uint(8)), (which, packet, noise) => {
        const octets = encodeReflectorPacket(which, packet);
        expect(decodeReflectorPacket(which, octets)).toEqual(packet);
        const reserved =
          which === "authenticated"
            ? [
                [4, 16],
                [28, 32],
                [40, 48],
                [52, 64],
                [74, 80],
                [81, 96],
              ]
            : [
                [38, 40],
                [41, 44],
              ];
        for (const [from, to] of reserved) for (let at = from!; at < to!; at++) octets[at] = noise.next().value;
        expect(decodeReflectorPacket(which, octets)).toEqual(packet);
      }),
    );
  });

  test("any octets are read or refused by their length alone", () => {
    fc.assert(
      fc.property(mode, fc.uint8Array({ maxLength: 200 }), (which, octets) => {
        const shortest = which === "authenticated" ? 112 : 14;
        expect(decodeSenderPacket(which, octets) !== undefined).toBe(octets.length >= shortest);
        expect(decodeReflectorPacket(which, octets) !== undefined).toBe(octets.length >= BASE_LENGTH[which]);
      }),
    );
  });

  test("TWAMP Light's shorter request has no SSID", () => {
    const octets = encodeSenderPacket("unauthenticated", REQUEST);
    expect(decodeSenderPacket("unauthenticated", octets.subarray(0, 14))).toEqual({ ...REQUEST, ssid: 0 });
    expect(decodeSenderPacket("unauthenticated", octets.subarray(0, 43))).toEqual({ ...REQUEST, ssid: 0 });
  });
});

describe("HMAC", () => {
  test("any change within the first 112 octets breaks it, another key too", () => {
    const sealed = encodeReflectorPacket("authenticated", ANSWER);
    sealPacket(sealed, KEY);
    for (let at = 0; at < 112; at++) {
      const changed = sealed.slice();
      changed[at]! ^= 1;
      expect(isSealed(changed, KEY)).toBe(false);
    }
    expect(isSealed(sealed, KEY.subarray(1))).toBe(false);
    expect(isSealed(sealed.subarray(0, 111), KEY)).toBe(false);
    expect(() => sealPacket(sealed.subarray(0, 111), KEY)).toThrow(RangeError);
  });
});
