import { addValues } from "./sum.ts";

describe("addValues", () => {
  test("adds numbers and bigints wherever they are", () => {
    const a = { packets: 1n, last: [1, 2], inner: { bytes: 10n, weight: 0.5 } };
    const b = { packets: 2n, last: [3, 4], inner: { bytes: 20n, weight: 0.25 } };
    expect(addValues(a, b)).toEqual({ packets: 3n, last: [4, 6], inner: { bytes: 30n, weight: 0.75 } });
  });

  test("does not wrap at 64 bits: no packet is lost in a sum", () => {
    expect(addValues(0xffff_ffff_ffff_ffffn, 1n)).toBe(0x1_0000_0000_0000_0000n);
  });

  test("takes octets and booleans from the first", () => {
    const a = { key: Uint8Array.of(1), seen: true };
    expect(addValues(a, { key: Uint8Array.of(2), seen: false })).toEqual(a);
  });

  test("leaves its arguments alone", () => {
    const a = { packets: 1n };
    addValues(a, { packets: 2n });
    expect(a).toEqual({ packets: 1n });
  });
});
