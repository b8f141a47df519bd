import { Timeline } from "./timeline.ts";

function rig() {
  const clock = { monotonic: 2n ** 60n, offset: 1_700_000_000_000_000_000n };
  const timeline = new Timeline({ monotonicNs: () => clock.monotonic, offsetNs: () => clock.offset });
  return { clock, timeline };
}

test("times are numbers since the start, exact however long the host is up", () => {
  const { clock, timeline } = rig();
  clock.monotonic += 12_345_678_901n;
  expect(timeline.nowNs()).toBe(12_345_678_901);
  expect(timeline.wallNs(12_345_678_901)).toBe(clock.monotonic + clock.offset);
});

test("a slewed clock is followed, a stepped one is noticed once, either way", () => {
  const { clock, timeline } = rig();
  clock.offset += 900_000n;
  expect(timeline.followClock()).toBe(0n);
  expect(timeline.wallNs(0)).toBe(timeline.baseNs + clock.offset);
  for (const by of [3_600_000_000_000n, -5_000_000n]) {
    clock.offset += by;
    expect([timeline.followClock(), timeline.followClock()]).toEqual([by, 0n]);
    expect(timeline.wallNs(0)).toBe(timeline.baseNs + clock.offset);
  }
});
