import fc from "fast-check";
import { decodeTime, encodeTime } from "./time-stamp.ts";

const SECOND = 1_000_000_000n;
const TIME = 1_700_000_000_123_456_789n;
const HALF_ERA = 2n ** 31n * SECOND;
const instant = fc.bigInt(-3_000_000_000n * SECOND, 10_000_000_000n * SECOND);
const format = fc.constantFrom("ntp" as const, "ptp" as const);
const taiOffset = fc.integer({ min: -1000, max: 1000 });

test("the known times, bit for bit", () => {
  expect(encodeTime(TIME, "ntp", 37).toString(16)).toBe("e8fe6f801f9add37");
  expect(encodeTime(TIME, "ptp", 0).toString(16)).toBe("6553f100075bcd15");
  expect(encodeTime(TIME, "ptp", 37).toString(16)).toBe("6553f125075bcd15");
});

test("a time is read as written, to the nanosecond, in any era and with any TAI offset", () => {
  fc.assert(
    fc.property(
      instant,
      format,
      taiOffset,
      fc.bigInt(-HALF_ERA + SECOND, HALF_ERA - SECOND),
      (time, which, tai, off) => {
        const bits = encodeTime(time, which, tai);
        fc.pre(bits !== 0n);
        expect(decodeTime(bits, which, tai, time + off)).toBe(time);
      },
    ),
  );
});

test("the era that begins on 7 February 2036 06:28:16 UTC follows without a gap", () => {
  const rollOver = BigInt(Date.UTC(2036, 1, 7, 6, 28, 16)) * 1_000_000n;
  const before = encodeTime(rollOver - 1n, "ntp", 0);
  const after = encodeTime(rollOver + 1n, "ntp", 0);
  expect([before >> 32n, after >> 32n]).toEqual([0xffff_ffffn, 0n]);
  const near = rollOver + 3n * SECOND;
  const [t1, t2] = [decodeTime(before, "ntp", 0, near)!, decodeTime(after, "ntp", 0, near)!];
  expect(t2 - t1).toBe(2n);
  // read by a clock that has not got there yet
  expect(decodeTime(after, "ntp", 0, rollOver - 3n * SECOND)).toBe(rollOver + 1n);
});

test("what is no time is not read as one", () => {
  expect(decodeTime(0n, "ntp", 0, TIME)).toBeUndefined();
  expect(decodeTime(0n, "ptp", 37, TIME)).toBeUndefined();
  expect(decodeTime((1n << 32n) | SECOND, "ptp", 37, TIME)).toBeUndefined();
});

test("any other 64 bits are a time within half an era of now", () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 2n ** 64n - 1n), format, taiOffset, instant, (bits, which, tai, near) => {
      const time = decodeTime(bits, which, tai, near);
      if (time === undefined) expect(which === "ptp" && (bits & 0xffff_ffffn) >= SECOND).toBe(true);
      else expect(time - near <= HALF_ERA + SECOND && near - time <= HALF_ERA + SECOND).toBe(true);
    }),
  );
});
