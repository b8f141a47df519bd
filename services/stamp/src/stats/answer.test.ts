import { encodeTime, type TimeFormat } from "../codec/time-stamp.ts";
import { answerOf, delaysOf } from "./answer.ts";

const T1 = 1_700_000_000_000_000_000n;

function packet(sender: TimeFormat, reflector: TimeFormat, tai: number, at = T1) {
  const z = (format: TimeFormat) => (format === "ptp" ? 0x4001 : 0x0001);
  return {
    sequence: 3,
    ssid: 0,
    senderSequence: 7,
    senderTtl: 64,
    timestamp: encodeTime(at + 260_000n, reflector, tai),
    receiveTimestamp: encodeTime(at + 250_000n, reflector, tai),
    errorEstimate: z(reflector),
    senderTimestamp: encodeTime(at, sender, tai),
    senderErrorEstimate: z(sender),
  };
}

test.each([0, 37, -5, 40])("each side's times are read by its own Z bit, with a TAI offset of %i s", (tai) => {
  for (const [sender, reflector] of [
    ["ntp", "ntp"],
    ["ntp", "ptp"],
    ["ptp", "ntp"],
    ["ptp", "ptp"],
  ] as const) {
    const answer = answerOf(packet(sender, reflector, tai), undefined, T1 + 500_000n, {
      senderS: tai,
      reflectorS: tai,
    });
    expect(delaysOf(answer)).toEqual({
      forwardNs: 250_000,
      backwardNs: 240_000,
      roundTripNs: 490_000,
      residenceNs: 10_000,
    });
  }
});

test("a session over the end of the NTP era of 2036 has no jump", () => {
  const at = BigInt(Date.UTC(2036, 1, 7, 6, 28, 16)) * 1_000_000n - 255_000n;
  const answer = answerOf(packet("ntp", "ntp", 0, at), undefined, at + 500_000n, { senderS: 0, reflectorS: 0 });
  expect(delaysOf(answer)).toMatchObject({ forwardNs: 250_000, residenceNs: 10_000, roundTripNs: 490_000 });
});

test("a reflector without times leaves no delays; a multiplier of 0 no error", () => {
  const blank = { ...packet("ntp", "ntp", 0), timestamp: 0n, receiveTimestamp: 0n, errorEstimate: 0 };
  const answer = answerOf(blank, undefined, T1 + 500_000n, { senderS: 0, reflectorS: 0 });
  expect(delaysOf(answer)).toBeUndefined();
  expect(answer.reflector).toEqual({ synchronised: false, errorNs: undefined });
});

test("clocks more than 104 days apart leave no delays", () => {
  const far = answerOf(packet("ntp", "ntp", 0, T1 - 10n ** 16n), T1, T1 + 500_000n, { senderS: 0, reflectorS: 0 });
  expect(delaysOf(far)).toBeUndefined();
});
