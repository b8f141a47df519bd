import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { RttMethod, RttSamplesSchema } from "@waymark/proto/report";
import fc from "fast-check";
import { SampleColumns, type SampleRow } from "./sample-columns.ts";

const row: fc.Arbitrary<SampleRow> = fc.record({
  flow: fc.nat({ max: 100_000 }),
  atNs: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  rttNs: fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 35)),
  method: fc.constantFrom(RttMethod.TCP_TIMESTAMP, RttMethod.QUIC_SPIN),
  local: fc.boolean(),
  confidencePermille: fc.constantFrom(1000, 0, 500),
});

/** Without the length in front. */
function body(framed: Uint8Array): Uint8Array {
  let at = 0;
  while (((framed[at] ?? 0) & 0x80) !== 0) at++;
  return framed.slice(at + 1);
}

test("is what the general encoder writes and decodes to what was put in, again and again", () => {
  const columns = new SampleColumns(64);
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 64 }), (rows) => {
      for (const each of rows) columns.push(each);
      expect(columns.rows).toBe(rows.length);
      const octets = body(columns.take());
      const message = fromBinary(RttSamplesSchema, octets);
      expect(toBinary(RttSamplesSchema, message)).toEqual(octets);
      expect(message.flow).toEqual(rows.map(({ flow }) => flow));
      expect(message.atNs).toEqual(rows.map(({ atNs }) => atNs));
      expect(message.rttNs).toEqual(rows.map(({ rttNs }) => BigInt(rttNs)));
      expect(message.method).toEqual(rows.map(({ method }) => method));
      expect(message.local).toEqual(rows.map(({ local }) => local));
      const sure = rows.every(({ confidencePermille }) => confidencePermille === 1000);
      expect(message.confidencePermille).toEqual(sure ? [] : rows.map((each) => each.confidencePermille));
    }),
  );
});

test("more than fits is refused", () => {
  const columns = new SampleColumns(1);
  const one = { flow: 0, atNs: 0n, rttNs: 1, method: RttMethod.DNS, local: false, confidencePermille: 1000 };
  columns.push(one);
  expect(columns.isFull).toBe(true);
  expect(() => columns.push(one)).toThrow(RangeError);
});
