import { StoreClock } from "./clock.ts";

test("stamps never repeat and never go back, although the clock does", () => {
  let now = 100n;
  const clock = new StoreClock(() => now);
  const stamps = [clock.begin()];
  clock.end();
  for (const time of [100n, 50n, 101n, 200n]) {
    now = time;
    stamps.push(clock.begin());
    clock.end();
  }
  expect(stamps).toEqual([100n, 101n, 102n, 103n, 200n]);
});

test("reads as of a time before the insert that is under way", () => {
  let now = 100n;
  const clock = new StoreClock(() => now);
  const stamp = clock.begin();
  now = 500n;
  expect(clock.readNs()).toBe(stamp - 1n);
  clock.end();
  expect(clock.readNs()).toBe(500n);
  now = 10n;
  expect(clock.readNs()).toBe(100n);
});
