import fc from "fast-check";
import type { Answer } from "./answer.ts";
import { type AnswerVerdict, SessionStats } from "./session-stats.ts";
import { METRICS, Summary } from "./summary.ts";

const MS = 1_000_000n;
const SECOND = 1000n * MS;
const START = 1_700_000_000n * SECOND;
const SYNCHRONISED = { synchronised: true, errorNs: 1000n };

/** One packet's fate on the wire, milliseconds. */
interface Fate {
  readonly forwardMs?: number;
  readonly backwardMs?: number;
  readonly residenceMs?: number;
  readonly lost?: "forward" | "backward";
  /** The wire sends the answer twice. */
  readonly duplicated?: boolean;
}

interface Run {
  readonly stats: SessionStats;
  readonly intervals: Summary[];
  /** The same as they were when they were handed out. */
  readonly published: Summary[];
  readonly verdicts: (AnswerVerdict & { readonly sequence: number })[];
}

interface RunOptions {
  readonly periodMs?: number;
  readonly waitMs?: number;
  readonly intervalMs?: number;
  readonly stateful?: boolean;
  readonly firstSequence?: number;
  readonly firstNumber?: number;
  /** With this packet the reflector begins to number from 0. */
  readonly restartedAt?: number;
  /** The reflector's clock minus the sender's. */
  readonly offsetNs?: bigint;
  readonly claim?: Answer["sender"];
  /** Answers are handed over only at the end, long after they came. */
  readonly drainedLate?: boolean;
}

/** A session over a wire with these fates; all that happens is played in the order of time. */
function play(fates: readonly Fate[], options: RunOptions = {}): Run {
  const { periodMs = 10, waitMs = 1000, intervalMs = 1000, stateful = true, offsetNs = 0n } = options;
  const { firstSequence = 0, firstNumber = 0, claim = SYNCHRONISED, drainedLate = false } = options;
  const { restartedAt = Number.POSITIVE_INFINITY } = options;
  const stats = new SessionStats({ startNs: START, intervalNs: BigInt(intervalMs) * MS, waitNs: BigInt(waitMs) * MS });
  const ns = (ms: number) => BigInt(Math.round(ms * 1e6));
  const word = (n: number) => ((n % 2 ** 32) + 2 ** 32) % 2 ** 32;
  const requests = fates.map((fate, i) => {
    const sentNs = START + ns(i * periodMs);
    return { fate, index: i, sequence: word(firstSequence + i), sentNs, arrivedNs: sentNs + ns(fate.forwardMs ?? 1) };
  });
  const events: { readonly atNs: bigint; readonly happen: () => void }[] = requests.map((request) => ({
    atNs: request.sentNs,
    happen: () => stats.sent(request.sequence, request.sentNs),
  }));
  const verdicts: Run["verdicts"] = [];
  const endNs = START + ns(fates.length * periodMs) + 10n * SECOND;
  const reached = requests.filter(({ fate }) => fate.lost !== "forward");
  const byArrival = [...reached].sort((a, b) => Number(a.arrivedNs - b.arrivedNs));
  const earlier = byArrival.filter(({ index }) => index < restartedAt).length;
  for (const [count, { fate, index, sequence, sentNs, arrivedNs }] of byArrival.entries()) {
    const number = index < restartedAt ? firstNumber + count : count - earlier;
    if (fate.lost === "backward") continue;
    const leftNs = arrivedNs + ns(fate.residenceMs ?? 0);
    const t4Ns = leftNs + ns(fate.backwardMs ?? 1);
    const answer: Answer = {
      sequence,
      reflectorSequence: stateful ? word(number) : sequence,
      t1Ns: sentNs,
      t2Ns: arrivedNs + offsetNs,
      t3Ns: leftNs + offsetNs,
      t4Ns,
      sender: claim,
      reflector: claim,
      senderTtl: 255,
    };
    const happen = () => verdicts.push({ ...stats.answered(answer), sequence });
    for (let i = 0; i < (fate.duplicated ? 2 : 1); i++) events.push({ atNs: drainedLate ? endNs : t4Ns, happen });
  }
  events.sort((a, b) => Number(a.atNs - b.atNs));
  const intervals: Summary[] = [];
  const published: Summary[] = [];
  const publish = (closed: readonly Summary[]) => {
    intervals.push(...closed);
    for (const interval of closed) {
      const copy = new Summary(interval.fromNs, interval.toNs);
      copy.merge(interval);
      published.push(copy);
    }
  };
  for (const { atNs, happen } of events) {
    publish(stats.expire(atNs));
    happen();
  }
  publish(stats.expire(endNs));
  publish(stats.finish(endNs));
  return { stats, intervals, published, verdicts };
}

const repeat = (count: number, fate: Fate = {}) => Array.from({ length: count }, () => fate);

describe("what is counted", () => {
  const fate: fc.Arbitrary<Fate> = fc.record(
    {
      forwardMs: fc.integer({ min: 0, max: 40 }),
      backwardMs: fc.integer({ min: 0, max: 40 }),
      lost: fc.constantFrom("forward", "backward"),
      duplicated: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  const wire = fc.array(fate, { maxLength: 120 });

  test("sent, received, lost and duplicated packets are those of the wire, whatever it does", () => {
    fc.assert(
      fc.property(wire, fc.boolean(), fc.constantFrom(0, 2 ** 32 - 50), (fates, stateful, firstSequence) => {
        const { total } = play(fates, { stateful, firstSequence, firstNumber: firstSequence }).stats;
        const answered = fates.filter(({ lost }) => lost === undefined);
        expect(total.sent).toBe(fates.length);
        expect(total.received).toBe(answered.length);
        expect(total.lost).toBe(fates.length - answered.length);
        expect(total.duplicates).toBe(answered.filter(({ duplicated }) => duplicated).length);
        expect(total.late).toBe(0);
      }),
    );
  });

  test("intervals add up to the whole, as they were when they were handed out", () => {
    const slow = fc.record({ backwardMs: fc.constantFrom(10, 190, 210, 500, 1000), duplicated: fc.boolean() });
    const tardy = fc.array(fc.oneof(fate, slow), { maxLength: 120 });
    fc.assert(
      fc.property(tardy, fc.constantFrom(10, 70), (fates, periodMs) => {
        const run = play(fates, { intervalMs: 100, waitMs: 200, periodMs });
        const { stats, published: intervals } = run;
        const sum = new Summary(START, START);
        for (const interval of intervals) sum.merge(interval);
        const counts = (s: Summary) => [s.sent, s.received, s.lost, s.duplicates, s.reordered, s.late];
        expect(counts(sum)).toEqual(counts(stats.total));
        for (const name of METRICS) {
          expect(sum[name].histogram.toBuckets()).toEqual(stats.total[name].histogram.toBuckets());
        }
        const starts = intervals.map(({ fromNs }) => fromNs);
        expect(starts).toEqual([...new Set(starts)].sort());
        expect(intervals.every(({ fromNs, sent }) => (fromNs - START) % (100n * MS) === 0n && sent <= 10)).toBe(true);
      }),
    );
  });

  test("at 1 kHz nothing is lost falsely, even if all answers are handed over long after they came", () => {
    const { total } = play(repeat(1000), { periodMs: 1, waitMs: 100, drainedLate: true }).stats;
    expect([total.received, total.lost, total.late, total.lostBackward]).toEqual([1000, 0, 0, 0]);
  });

  test("an answer after the wait is late, not lost for ever, and in no delay", () => {
    const fates = [{}, { backwardMs: 500 }, {}];
    const { stats, verdicts } = play(fates, { waitMs: 100 });
    expect([stats.total.received, stats.total.lost, stats.total.late]).toEqual([2, 1, 1]);
    expect(verdicts.map(({ kind, sequence }) => [kind, sequence])).toEqual([
      ["received", 0],
      ["received", 2],
      ["late", 1],
    ]);
    expect(stats.total.backward.histogram.max).toBe(1_000_000);
  });

  test("a packet that is overtaken is reordered; the overtaking one is not", () => {
    const { total } = play([{}, { backwardMs: 35 }, {}, {}, {}, {}]).stats;
    expect(total.reordered).toBe(1);
    expect(play(repeat(20)).stats.total.reordered).toBe(0);
  });

  test("an answer to what was never sent changes nothing but its own counter", () => {
    const { stats } = play(repeat(5));
    const before = [stats.total.received, stats.total.duplicates, stats.total.forward.histogram.count];
    const answer = { reflectorSequence: 9, t1Ns: START, t2Ns: START, t3Ns: START, t4Ns: START, senderTtl: 1 };
    for (const sequence of [5, 77, 2 ** 32 - 1]) {
      expect(stats.answered({ ...answer, sequence, sender: SYNCHRONISED, reflector: SYNCHRONISED }).kind).toBe(
        "unmatched",
      );
    }
    expect([stats.total.received, stats.total.duplicates, stats.total.forward.histogram.count]).toEqual(before);
    expect(stats.unmatched).toBe(3);
  });

  test("nothing is waited for after the end", () => {
    const { stats } = play([{}, { lost: "backward" }, {}]);
    expect(stats.waiting).toBe(0);
  });
});

describe("which way packets were lost", () => {
  const steady = fc.record({ lost: fc.constantFrom(undefined, undefined, "forward" as const, "backward" as const) });

  test("by a stateful reflector's numbers, exactly up to the last answer", () => {
    fc.assert(
      fc.property(fc.array(steady, { maxLength: 100 }), fc.constantFrom(0, 2 ** 32 - 20), (some, first) => {
        const fates = [{ lost: "forward" as const }, {}, ...some, {}] as Fate[];
        const { total } = play(fates, { firstSequence: first, firstNumber: first }).stats;
        const count = (lost: string) => fates.filter((fate) => fate.lost === lost).length;
        // numbers that do not begin at 0 do not tell what became of the packets before the first answer
        const untold = first === 0 ? 0 : 1;
        expect(total.lostByDirection).toEqual({ forward: count("forward") - untold, backward: count("backward") });
      }),
    );
  });

  test("not by a stateless one", () => {
    const fates = [{}, { lost: "forward" }, { lost: "backward" }, {}] as const;
    expect(play(fates, { stateful: false }).stats.total.lostByDirection).toBeUndefined();
  });

  test("not after the last answer, and not before the first if the reflector counted before", () => {
    const tail = play([{}, { lost: "forward" }, {}, { lost: "backward" }, { lost: "forward" }]).stats.total;
    expect([tail.lost, tail.lostByDirection]).toEqual([3, { forward: 1, backward: 0 }]);
    const resumed = play([{ lost: "backward" }, {}, { lost: "forward" }, {}], { firstNumber: 500 }).stats.total;
    expect([resumed.lost, resumed.lostByDirection]).toEqual([2, { forward: 1, backward: 0 }]);
  });

  test("not before the first answer to a rerun, whose reflector counts on from a few", () => {
    const fates = [...repeat(5, { lost: "forward" }), {}, { lost: "backward" }, {}] as const;
    const { total } = play(fates, { firstNumber: 2 }).stats;
    expect([total.lost, total.lostByDirection]).toEqual([6, { forward: 0, backward: 1 }]);
  });

  test("not any more once the reflector has begun to count anew", () => {
    const before = [{}, { lost: "forward" }, {}, { lost: "backward" }, ...repeat(296)] as Fate[];
    const down = repeat(200, { lost: "forward" });
    const after = [...repeat(50), ...repeat(100, { lost: "backward" }), ...repeat(350)] as Fate[];
    const { total } = play([...before, ...down, ...after], { restartedAt: before.length + down.length }).stats;
    expect([total.lost, total.lostByDirection]).toEqual([302, { forward: 1, backward: 1 }]);
  });

  test("packets that overtake each other on the way there do not look like loss", () => {
    const fates = [{}, { forwardMs: 25 }, {}, { lost: "backward" }, {}, {}, { lost: "forward" }, {}] as const;
    expect(play(fates).stats.total.lostByDirection).toEqual({ forward: 1, backward: 1 });
  });

  test("a run over the end of an interval is told of an interval only if it went one way", () => {
    const both = [...repeat(9), { lost: "forward" }, { lost: "backward" }, ...repeat(9)] as Fate[];
    const mixed = play(both, { intervalMs: 100, waitMs: 50 });
    expect(mixed.stats.total.lostByDirection).toEqual({ forward: 1, backward: 1 });
    expect(mixed.intervals.map((interval) => [interval.lost, interval.lostForward, interval.lostBackward])).toEqual([
      [1, 0, 0],
      [1, 0, 0],
    ]);
    const alike = [...repeat(9), { lost: "forward" }, { lost: "forward" }, ...repeat(9)] as Fate[];
    const told = play(alike, { intervalMs: 100, waitMs: 50 }).intervals;
    expect(told.map((interval) => interval.lostForward)).toEqual([1, 1]);
  });
});

describe("delays", () => {
  const offset = fc.constantFrom(0n, 100n * MS, -100n * MS, 3600n * SECOND, -3600n * SECOND);

  test("the round trip has no residence and no offset in it; one-way delays keep their sign", () => {
    fc.assert(
      fc.property(offset, (offsetNs) => {
        const { total } = play(repeat(20, { forwardMs: 5, backwardMs: 20, residenceMs: 3 }), { offsetNs }).stats;
        expect([total.roundTrip.histogram.min, total.roundTrip.histogram.max]).toEqual([25_000_000, 25_000_000]);
        expect(total.forward.histogram.max).toBe(5_000_000 + Number(offsetNs));
        expect(total.backward.histogram.min).toBe(20_000_000 - Number(offsetNs));
        expect(total.residence.histogram.max).toBe(3_000_000);
        // had both ways taken as long, the clocks would be so far apart
        expect(total.clockOffsetNs).toBe(Number(offsetNs) - 7_500_000);
      }),
    );
  });

  test("IPDV is of neighbours in the order of sending, PDV is above the least", () => {
    const fates = [1, 3, 2, 10].map((forwardMs) => ({ forwardMs }));
    const { forward } = play([...fates, { lost: "forward" }, { forwardMs: 500 }], { periodMs: 1000 }).stats.total;
    expect(forward.ipdvNs).toBeCloseTo((2 + 1 + 8) / 3 / 1e-6, 0);
    expect(forward.largestIpdvNs).toBe(8_000_000);
    expect(Math.abs(forward.pdvNs(0)!)).toBeLessThanOrEqual(1_000_000 / 128);
    expect(forward.pdvNs(100)).toBe(499_000_000);
  });

  test("jitter is that of RFC 3550, over the order of arrival", () => {
    const delays = [4, 9, 1, 30, 2, 2, 7];
    let jitter = 0;
    for (let i = 1; i < delays.length; i++) jitter += (Math.abs(delays[i]! - delays[i - 1]!) * 1e6 - jitter) / 16;
    const { total } = play(
      delays.map((backwardMs) => ({ backwardMs })),
      { periodMs: 100 },
    ).stats;
    expect(total.backward.jitterNs).toBeCloseTo(jitter, 6);
    expect(total.forward.jitterNs).toBe(0);
    expect(total.roundTrip.jitterNs).toBeCloseTo(jitter, 6);
  });

  test("a delay of zero is a delay, and stays the least", () => {
    const { forward } = play([{ forwardMs: 0 }, { forwardMs: 3 }, { forwardMs: 5 }]).stats.total;
    expect([forward.histogram.min, forward.histogram.max, forward.lastNs]).toEqual([0, 5_000_000, 5_000_000]);
  });

  test("the first packet being lost leaves nothing at zero", () => {
    const { total } = play([{ lost: "forward" }]).stats;
    expect([total.roundTrip.histogram.min, total.roundTrip.jitterNs, total.trust]).toEqual([
      undefined,
      undefined,
      "no-answers",
    ]);
  });
});

describe("what one-way delays are worth", () => {
  const trust = (claim: Answer["sender"], offsetNs = 0n) => play(repeat(3), { claim, offsetNs }).stats.total.trust;

  test("only what two synchronised clocks with known errors say", () => {
    expect(trust(SYNCHRONISED)).toBe("trusted");
    expect(trust({ synchronised: false, errorNs: 1000n })).toBe("unsynchronised");
    expect(trust({ synchronised: true, errorNs: undefined })).toBe("error-unknown");
    expect(play(repeat(3)).stats.total.errorBar.errorNs).toBe(2000n);
  });

  test("not of intervals in which our clock was set, nor of the whole; later ones begin in its time", () => {
    const stats = new SessionStats({ startNs: START, intervalNs: SECOND, waitNs: 100n * MS });
    const exchange = (sequence: number, atNs: bigint) => {
      const [t2Ns, t3Ns, t4Ns] = [atNs + MS, atNs + MS, atNs + 2n * MS];
      stats.sent(sequence, atNs);
      const times = { t1Ns: atNs, t2Ns, t3Ns, t4Ns, sender: SYNCHRONISED, reflector: SYNCHRONISED, senderTtl: 1 };
      stats.answered({ sequence, reflectorSequence: sequence, ...times });
    };
    exchange(0, START);
    const [before] = stats.expire(START + 2n * SECOND);
    exchange(1, START + 2n * SECOND);
    stats.clockSet(60n * SECOND);
    exchange(2, START + 3n * SECOND);
    const [during, after] = stats.finish(START + 4n * SECOND);
    const told = [before, during, after, stats.total].map((each) => [each?.trust, each?.synchronised, each?.shiftNs]);
    expect(told).toEqual([
      ["trusted", true, 0n],
      ["clock-set", false, 0n],
      ["trusted", true, 60n * SECOND],
      ["clock-set", false, 0n],
    ]);
  });

  test("below zero by more than both errors contradicts them", () => {
    expect(trust({ synchronised: true, errorNs: 5n * MS }, -10n * MS)).toBe("trusted");
    expect(trust({ synchronised: true, errorNs: 5n * MS }, -12n * MS)).toBe("contradicted");
    expect(trust({ synchronised: true, errorNs: 5n * MS }, 12n * MS)).toBe("contradicted");
  });
});
