import { BlockSet } from "./block-set.ts";

const block = (blockNumber: bigint, path = "p", intervalNs = 10n) => ({ path, intervalNs, blockNumber });

test("knows blocks by path, interval and number", () => {
  const set = new BlockSet();
  set.add(block(1n), 5n);
  expect(set.has(block(1n))).toBe(true);
  expect(set.has(block(1n, "q"))).toBe(false);
  expect(set.has(block(1n, "p", 20n))).toBe(false);
  set.delete(block(1n));
  expect(set.size).toBe(0);
});

test("hands out what is due, once", () => {
  const set = new BlockSet();
  set.add(block(1n), 5n);
  set.add(block(2n), 7n);
  set.add(block(2n), 9n);
  expect(set.earliestNs()).toBe(5n);
  expect(set.due(8n)).toEqual([block(1n)]);
  expect(set.due(8n)).toEqual([]);
  expect(set.earliestNs()).toBe(9n);
});

test("puts starts that are near each other into one range", () => {
  const set = new BlockSet();
  for (const number of [9n, 1n, 2n, 50n]) set.add(block(number), 0n);
  expect(set.ranges(70n)).toEqual([
    { fromNs: 10n, toNs: 91n },
    { fromNs: 500n, toNs: 501n },
  ]);
  expect(new BlockSet().ranges(1n)).toEqual([]);
});

test("is bounded: the oldest go, and are counted", () => {
  const set = new BlockSet();
  for (let number = 0n; number < 100_010n; number++) set.add(block(number), 0n);
  expect(set.size).toBe(100_000);
  expect(set.dropped).toBe(10);
  expect(set.has(block(9n))).toBe(false);
  expect(set.has(block(10n))).toBe(true);
});
