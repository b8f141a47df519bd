import fc from "fast-check";
import { untilNextRead } from "./schedule.ts";

test("the next read is just after the middle of a block, at most an interval away", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 19n), fc.bigInt(100_000_000n, 86_400_000_000_000n), (now, interval) => {
      const wait = untilNextRead(now, interval);
      const offset = (now + wait) % interval;
      return (
        wait > 0n && wait <= interval && offset - interval / 2n >= 4_999_999n && offset - interval / 2n <= 5_000_001n
      );
    }),
  );
});
