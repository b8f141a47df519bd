import fc from "fast-check";
import { errorEstimateBits, errorOf, estimateError, parseErrorEstimate } from "./error-estimate.ts";

const YEARS = 10n ** 18n;

test("what is written is no less than the error, by at most one 128th and a unit, and never has the multiplier 0", () => {
  fc.assert(
    fc.property(
      fc.bigInt(0n, YEARS),
      fc.boolean(),
      fc.constantFrom("ntp" as const, "ptp" as const),
      (error, synchronised, format) => {
        const estimate = parseErrorEstimate(errorEstimateBits(estimateError(error, synchronised, format)));
        const told = errorOf(estimate)!;
        expect(estimate.multiplier).toBeGreaterThan(0);
        expect(told).toBeGreaterThanOrEqual(error);
        expect(told).toBeLessThanOrEqual(error + error / 127n + 1n);
        expect([estimate.synchronised, estimate.format]).toEqual([synchronised, format]);
      },
    ),
  );
});

test("the smallest scale that holds the error is taken", () => {
  expect(estimateError(0n, true, "ntp")).toMatchObject({ scale: 0, multiplier: 1 });
  expect(estimateError(488_281n, true, "ntp")).toMatchObject({ scale: 14, multiplier: 128 });
  expect(estimateError(10n ** 30n, false, "ntp")).toMatchObject({ scale: 63, multiplier: 255 });
});

test("every 16 bits are read and written the same", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) =>
      expect(errorEstimateBits(parseErrorEstimate(bits))).toBe(bits),
    ),
  );
});

test("488.28125 µs is rounded up to the nanosecond; a multiplier of 0 says nothing", () => {
  expect(errorOf(parseErrorEstimate(0x9501))).toBe(488_282n);
  expect(errorOf(parseErrorEstimate(0x9500))).toBeUndefined();
});
