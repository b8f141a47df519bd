import fc from "fast-check";
import { errorOf, parseErrorEstimate } from "./codec/error-estimate.ts";
import { decodeTime, type TimeFormat } from "./codec/time-stamp.ts";
import { taiOffset, wireClock } from "./wire-clock.ts";

const SECOND = 1_000_000_000n;

/** A clock whose kernel was told of this TAI offset. */
function clockOf(taiOffsetS: number, skewNs = 0n) {
  return {
    offsetFromTaiNs: () => BigInt(taiOffsetS) * -SECOND + skewNs,
    health: () => ({ synchronised: true, maxErrorNs: 250_000n, estimatedErrorNs: 0n, taiOffsetS }),
  };
}

/** As the packet programs write a moment of CLOCK_TAI (packet.bpf.h). */
function written(taiNs: bigint, format: TimeFormat, wireOffsetNs: bigint): bigint {
  const moment = taiNs + wireOffsetNs;
  const [seconds, rest] = [moment / SECOND, moment % SECOND];
  return ((seconds & 0xffff_ffffn) << 32n) | (format === "ptp" ? rest : (rest * 18_446_744_073n) >> 32n);
}

test("whatever TAI offset the kernel was told, packets carry the same time", () => {
  const format = fc.constantFrom<TimeFormat>("ntp", "ptp");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.bigInt(0n, 2n ** 61n), format, (toldS, unixNs, form) => {
      const clock = clockOf(toldS);
      const tai = taiOffset(clock, undefined);
      const { stamp_wire_offset_ns, stamp_unix_offset_ns } = wireClock(clock, form, tai, false);
      const taiNs = unixNs + BigInt(toldS) * SECOND;
      expect(taiNs + stamp_unix_offset_ns).toBe(unixNs);
      const bits = written(taiNs, form, stamp_wire_offset_ns);
      if (bits === 0n) return;
      expect(decodeTime(bits, form, tai, unixNs)).toBe(unixNs);
    }),
  );
});

test("a clock that is ahead writes later times", () => {
  const ahead = wireClock(clockOf(37, SECOND), "ntp", 37, false).stamp_wire_offset_ns;
  expect(ahead - wireClock(clockOf(37), "ntp", 37, false).stamp_wire_offset_ns).toBe(SECOND);
});

test.each([
  [undefined, 0, 37],
  [undefined, 36, 36],
  [0, 37, 0],
])("TAI offset: the user says %j, the kernel %i: %i", (given, told, used) => {
  expect(taiOffset(clockOf(told), given)).toBe(used);
});

test("the Error Estimate lies in memory as in a packet, and is never 0", () => {
  const { stamp_error_estimate } = wireClock(clockOf(0), "ptp", 0, false);
  const octets = new DataView(new ArrayBuffer(2));
  octets.setUint16(0, Number(stamp_error_estimate), true);
  const estimate = parseErrorEstimate(octets.getUint16(0));
  expect(estimate).toMatchObject({ synchronised: true, format: "ptp" });
  expect(estimate.multiplier).toBeGreaterThan(0);
  expect(errorOf(estimate)).toBeGreaterThanOrEqual(250_000n);
});

test("--trust-clock vouches for a clock that its kernel calls unsynchronised", () => {
  const clock = { ...clockOf(0), health: () => ({ ...clockOf(0).health(), synchronised: false }) };
  const bits = (trusted: boolean) => Number(wireClock(clock, "ntp", 0, trusted).stamp_error_estimate) & 0x80;
  expect([bits(false), bits(true)]).toEqual([0, 0x80]);
});
