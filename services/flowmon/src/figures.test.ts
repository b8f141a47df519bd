import fc from "fast-check";
import { addFigures, type FlowFigures, followFigures, NO_FIGURES } from "./flow-figures.ts";
import { addGaps, gapDeviation, gapMean, NO_GAPS, superGapRatio } from "./gap-figures.ts";
import { boundary } from "./meter.ts";
import { nextEnd } from "./schedule.ts";
import { milliseconds, scaleRate } from "./units.ts";

const gapsOf = (list: readonly bigint[]) => ({
  gaps: BigInt(list.length),
  sumNs: list.reduce((a, b) => a + b, 0n),
  squaresNs2: list.reduce((a, b) => a + b * b, 0n),
  superGaps: 0n,
});

describe("gaps", () => {
  const gap = fc.bigInt({ min: 0n, max: 2_000_000_000n });

  test("deviation is that of two passes, however large the mean", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 0n, max: 1000n }), { minLength: 2 }), gap, (small, base) => {
        const list = small.map((value) => value + base);
        const mean = small.reduce((a, b) => a + Number(b), 0) / small.length;
        const squares = small.reduce((a, b) => a + (Number(b) - mean) ** 2, 0);
        expect(gapDeviation(gapsOf(list))).toBeCloseTo(Math.sqrt(squares / (list.length - 1)), 6);
      }),
    );
  });

  test("parts add up to the whole, in any order", () => {
    fc.assert(
      fc.property(fc.array(gap), fc.array(gap), (a, b) => {
        expect(addGaps(gapsOf(a), gapsOf(b))).toEqual(gapsOf([...a, ...b]));
        expect(addGaps(gapsOf(b), gapsOf(a))).toEqual(gapsOf([...a, ...b]));
      }),
    );
  });

  test("nothing is not zero", () => {
    expect([gapMean(NO_GAPS), gapDeviation(NO_GAPS), superGapRatio(NO_GAPS)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(gapDeviation(gapsOf([5n]))).toBeUndefined();
    expect(milliseconds(undefined)).toBe("-");
  });
});

describe("figures of a flow", () => {
  const figures = (more: Partial<FlowFigures>): FlowFigures => ({ ...NO_FIGURES, ...more });

  test("a pause forgets the gaps of earlier parts; those of other flows stay", () => {
    const a = figures({ packets: 3n, gaps: gapsOf([5n, 5n]), burst1msL3Bytes: 7n });
    const b = figures({ packets: 2n, gaps: gapsOf([9n]), paused: true, burst1msL3Bytes: 3n });
    expect(followFigures(a, b)).toMatchObject({ packets: 5n, gaps: gapsOf([9n]), burst1msL3Bytes: 7n });
    expect(addFigures(a, b)).toMatchObject({ packets: 5n, gaps: gapsOf([5n, 5n, 9n]) });
  });

  test("the newest jitter of RTP holds until there is another", () => {
    const merged = followFigures(figures({ rtpJitterNs: 5n }), figures({}));
    expect([merged.rtpJitterNs, followFigures(merged, figures({ rtpJitterNs: 9n })).rtpJitterNs]).toEqual([5n, 9n]);
  });
});

describe("intervals", () => {
  const S = 1_000_000_000n;

  test("end at multiples of their length; those of the jitter in between", () => {
    const intervals = { throughputNs: S, jitterNs: 300_000_000n };
    const ends = [];
    for (let at = 0n; at < S; ) {
      const end = nextEnd(at, intervals);
      ends.push([Number(end.atNs / 1_000_000n), end.throughput, end.jitter]);
      at = end.atNs;
    }
    expect(ends).toEqual([
      [300, false, true],
      [600, false, true],
      [900, false, true],
      [1000, true, false],
    ]);
    expect(nextEnd(5n * S - 1n, { throughputNs: S, jitterNs: 0n })).toEqual({
      atNs: 5n * S,
      throughput: true,
      jitter: true,
    });
  });

  test("a boundary leaves room for the interval's number, and is at most 65.536 µs late", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 62n }), (ns) => {
        const at = boundary(ns);
        expect(at & 0xffffn).toBe(0n);
        expect(at - ns >= 0n && at - ns < 65_536n).toBe(true);
      }),
    );
  });
});

describe("rates", () => {
  test.each([
    [0, false, "0.0000", "Bytes/sec"],
    [999.9, false, "999.9000", "Bytes/sec"],
    [12_345.6, false, "12.3456", "KBytes/sec"],
    [1_024_000, false, "1.0240", "MBytes/sec"],
    [125_000_000, true, "1.0000", "Gbits/sec"],
    [5e15, false, "5000.0000", "TBytes/sec"],
  ])("%d (bits: %j): %s %s, prefixes of 1000", (bytes, bits, value, unit) => {
    expect(scaleRate(bytes, bits)).toEqual({ value, unit });
  });
});
