import fc from "fast-check";
import { SequenceSet } from "./sequence-set.ts";

test("is a set, whatever the order of adding", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 120 }), (sequences) => {
      const set = new SequenceSet();
      const model = new Set<number>();
      for (const sequence of sequences) {
        expect(set.has(sequence)).toBe(model.has(sequence));
        set.add(sequence);
        model.add(sequence);
      }
      for (let sequence = 1; sequence <= 61; sequence++) expect(set.has(sequence)).toBe(model.has(sequence));
      const runs = [...model].filter((sequence) => !model.has(sequence - 1)).length;
      expect(set.rangeCount).toBe(runs);
    }),
  );
});

test("with a limit it forgets the oldest, says so, and is never wrong about the rest", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 200 }), (sequences) => {
      const set = new SequenceSet([], 5);
      const model = new Set<number>();
      for (const sequence of sequences) {
        set.add(sequence);
        model.add(sequence);
        expect(set.rangeCount).toBeLessThanOrEqual(5);
      }
      for (let sequence = 1; sequence <= 201; sequence++) {
        const known = set.has(sequence);
        if (known !== "unknown") expect(known).toBe(model.has(sequence));
      }
    }),
  );
});

test("is read back from ranges, the newest first kept", () => {
  const set = new SequenceSet(
    [
      [1, 3],
      [5, 5],
      [9, 20],
    ],
    2,
  );
  expect([2, 5, 6, 9, 20, 21].map((sequence) => set.has(sequence))).toEqual([
    "unknown",
    true,
    false,
    true,
    true,
    false,
  ]);
});
