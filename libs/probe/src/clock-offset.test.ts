import { clockOffset } from "./clock-offset.ts";

test("an interruption between two readings does not show", () => {
  let time = 0n;
  const delays = [9_000_000n, 5n, 8_000_000n, 5n, 2n, 2n, 7_000_000n, 5n, 6_000_000n, 5n];
  const advance = () => {
    time += delays.shift() ?? 5n;
    return time;
  };
  const clock = () => advance() + 1_000_000_000n;
  const offset = clockOffset(clock, () => time);
  expect(offset - 1_000_000_000n).toBeLessThanOrEqual(5n);
});
