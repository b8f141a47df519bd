import fc from "fast-check";
import { type SampleRecord, samplePoint, sampleRecord } from "../test/bpf/features.gen.ts";
import { SAMPLE } from "../test/features.ts";
import { array, be16, bool, bytes, encodeAlone, s8, s16, s32, s64, u8, u16, u32, u64, viewOf } from "./codec.ts";

const U32 = fc.integer({ min: 0, max: 0xffff_ffff });
const U16 = fc.integer({ min: 0, max: 0xffff });
const U8 = fc.integer({ min: 0, max: 0xff });
const point = fc.record({ x: fc.integer(), y: fc.integer({ min: -0x8000, max: 0x7fff }) });
const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const record: fc.Arbitrary<SampleRecord> = fc.record({
  sequence: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  offset_ns: fc.bigInt({ min: -0x8000_0000_0000_0000n, max: 0x7fff_ffff_ffff_ffffn }),
  point,
  points: fc.array(point, { minLength: 2, maxLength: 2 }),
  words: fc.array(U32, { minLength: 3, maxLength: 3 }),
  address: U32,
  port: U16,
  kind: U8,
  level: fc.integer({ min: -128, max: 127 }),
  bytes: octets(5),
  flag: fc.boolean(),
  either: octets(4),
  low: U16,
  high: U16,
  wide: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
});

describe("generated codec", () => {
  test("lays every member out as C does", () => {
    const expected = [
      "1032547698badcfe", // sequence
      "ffffffffffffffff", // offset_ns
      "fefffffffdff0000", // point
      "01000000020000000300000004000000", // points
      "01000000ffffffff03000000", // words
      "0a000001", // address, network order
      "035e", // port, network order
      "02", // kind
      "80", // level
      "0102030405", // bytes
      "01", // flag
      "0000", // padding
      "09080706", // union
      "22114433", // members of an anonymous structure
      "00000000", // alignment
      "0102030405060708", // wide, network order
    ];
    expect(Buffer.from(encodeAlone(sampleRecord, SAMPLE, "sample")).toString("hex")).toBe(expected.join(""));
  });

  test("reads back what it wrote, at any place", () => {
    fc.assert(
      fc.property(record, fc.integer({ min: 0, max: 64 }), (value, at) => {
        const buffer = new Uint8Array(at + sampleRecord.size);
        sampleRecord.encode(viewOf(buffer), at, value, "sample");
        expect(sampleRecord.decode(viewOf(buffer), at)).toEqual(value);
        expect(buffer.subarray(0, at).every((octet) => octet === 0)).toBe(true);
      }),
    );
  });

  test("decodes any octets, and what it decodes encodes to them again but for padding", () => {
    fc.assert(
      fc.property(octets(sampleRecord.size), (image) => {
        const once = sampleRecord.decode(viewOf(image), 0);
        expect(sampleRecord.decode(viewOf(encodeAlone(sampleRecord, once, "sample")), 0)).toEqual(once);
      }),
    );
  });

  test("keeps no reference to the memory it read", () => {
    const buffer = encodeAlone(sampleRecord, SAMPLE, "sample");
    const decoded = sampleRecord.decode(viewOf(buffer), 0);
    buffer.fill(0xee);
    expect(decoded).toEqual(SAMPLE);
  });

  test("names the member that does not fit", () => {
    const encode = (change: Partial<SampleRecord>) => () =>
      encodeAlone(sampleRecord, { ...SAMPLE, ...change }, "sample");
    expect(encode({ port: 65_536 })).toThrow(/^sample_record\.port: 65536 is not in 0 to 65535$/);
    expect(encode({ level: -129 })).toThrow(RangeError);
    expect(encode({ sequence: -1n })).toThrow(/sample_record\.sequence/);
    expect(encode({ bytes: new Uint8Array(4) })).toThrow(/sample_record\.bytes: 4 octets instead of 5/);
    expect(encode({ words: [1, 2, 3, 4] })).toThrow(/sample_record\.words: 4 elements, at most 3/);
  });

  test("refuses a value of the wrong type", () => {
    const encode = (change: object) => () =>
      encodeAlone(sampleRecord, { ...SAMPLE, ...change } as unknown as SampleRecord, "sample");
    expect(encode({ sequence: 1 })).toThrow(/sample_record\.sequence: 1 is not a bigint/);
    expect(encode({ port: 1.5 })).toThrow(TypeError);
    expect(encode({ port: undefined })).toThrow(/undefined is not an integer/);
    expect(encode({ flag: 1 })).toThrow(/1 is not a boolean/);
    expect(encode({ bytes: [1, 2, 3, 4, 5] })).toThrow(/is not a Uint8Array/);
    expect(encode({ words: 7 })).toThrow(/7 is not an array/);
  });
});

describe("primitives", () => {
  test.each([
    ["u8", u8, 0, 0xff],
    ["u16", u16, 0, 0xffff],
    ["u32", u32, 0, 0xffff_ffff],
    ["s8", s8, -0x80, 0x7f],
    ["s16", s16, -0x8000, 0x7fff],
    ["s32", s32, -0x8000_0000, 0x7fff_ffff],
    ["be16", be16, 0, 0xffff],
  ])("%s takes its whole range and nothing beyond", (name, codec, low, high) => {
    for (const value of [low, high]) expect(codec.decode(viewOf(encodeAlone(codec, value, name)), 0)).toBe(value);
    for (const value of [low - 1, high + 1]) expect(() => encodeAlone(codec, value, name)).toThrow(RangeError);
    expect(() => encodeAlone(codec, Number.NaN, name)).toThrow(TypeError);
  });

  test.each([
    ["u64", u64, 0n, 0xffff_ffff_ffff_ffffn],
    ["s64", s64, -0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
  ])("%s takes its whole range and nothing beyond", (name, codec, low, high) => {
    for (const value of [low, high]) expect(codec.decode(viewOf(encodeAlone(codec, value, name)), 0)).toBe(value);
    for (const value of [low - 1n, high + 1n]) expect(() => encodeAlone(codec, value, name)).toThrow(RangeError);
  });

  test("an array may be given in part: the rest stays", () => {
    const codec = array(samplePoint, 3);
    const buffer = encodeAlone(codec, [{ x: 1, y: 1 }], "points");
    expect(codec.decode(viewOf(buffer), 0)).toEqual([
      { x: 1, y: 1 },
      { x: 0, y: 0 },
      { x: 0, y: 0 },
    ]);
  });

  test("any octet but 0 is true", () => {
    expect(bool.decode(viewOf(Uint8Array.of(2)), 0)).toBe(true);
    expect(bytes(2).decode(viewOf(Uint8Array.of(2, 3)), 0)).toEqual(Uint8Array.of(2, 3));
  });
});
