import { describePrivileged, type WireOptions, whyNoWire } from "@waymark/testkit";
import { BothEnds, type Sightings } from "./captured-fates.ts";
import { type AnswerLine, FAR, StampPath, type SummaryLine } from "./stamp-path.ts";

const noWire = await whyNoWire();
const needs = { tools: ["ip", "tcpdump", "gcc", "ping"], unless: () => noWire };
/** Between our time stamp and tcpdump's of the same packet, in the middle of all packets. */
const CLOSE_NS = 300_000;

interface Run {
  readonly summary: SummaryLine;
  readonly answers: readonly AnswerLine[];
  readonly near: Sightings;
  readonly far: Sightings;
  readonly wire: Awaited<ReturnType<NonNullable<StampPath["wire"]>["state"]>>;
}

/** A session over a wire, seen by tcpdump at both ends. */
async function measure(wire: WireOptions, count: number, intervalS: number, ...more: readonly string[]): Promise<Run> {
  await using path = await StampPath.create({ wire });
  await path.reflector(["--stateful"]);
  await path.acquaint();
  const before = await path.wire?.state();
  await using ends = await BothEnds.start(path);
  const argv = [FAR[0], "-c", String(count), "-i", String(intervalS), "-w", "1", "--samples", ...more];
  const { summaries, answers, code } = await path.sender(argv);
  expect(code).toBe(0);
  const after = await path.wire?.state();
  const seen = await ends.read();
  const [summary] = summaries;
  if (!summary || !before || !after) throw new Error("nothing was measured");
  const during = (way: "forward" | "reverse") => {
    const both = Object.entries(after[way]).map(([name, n]) => [
      name,
      n - before[way][name as keyof typeof before.forward],
    ]);
    return Object.fromEntries(both) as typeof after.forward;
  };
  return { summary, answers, ...seen, wire: { forward: during("forward"), reverse: during("reverse") } };
}

/** How far our delay of each answered packet is from tcpdump's; the middle one. */
function middleError({ answers, near, far }: Run, way: "forward_ns" | "backward_ns"): number {
  const errors = answers.flatMap((answer) => {
    const [from, to] = way === "forward_ns" ? [near.requests, far.requests] : [far.answers, near.answers];
    const [start, end] = [from.get(answer.sequence), to.get(answer.sequence)];
    const ours = answer[way];
    return start === undefined || end === undefined || ours === null ? [] : [Math.abs(ours - Number(end - start))];
  });
  const sorted = errors.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
}

/**
 * Packets after the last answered one, and, unless that has the reflector's first number, before the first: which way they
 * were lost nobody can tell.
 */
function lostForwardFor({ far, near }: Run, count: number): { readonly told: number; readonly all: number } {
  const lost = Array.from({ length: count }, (_, sequence) => sequence).filter(
    (sequence) => !far.requests.has(sequence),
  );
  const [first, last] = [Math.min(...near.answers.keys()), Math.max(...near.answers.keys())];
  const from = Math.min(...far.requests.keys()) < first ? first : 0;
  return { told: lost.filter((sequence) => sequence >= from && sequence < last).length, all: lost.length };
}

describePrivileged("over a wire, beside tcpdump at both ends", needs, () => {
  test.each<[string, WireOptions, number, number]>([
    ["0 ms", {}, 0, 0],
    ["1 ms", { delayUs: 1000 }, 1, 1],
    ["10 ms", { delayUs: 10_000 }, 10, 10],
    ["50 ms", { delayUs: 50_000 }, 50, 50],
    ["5 ms there, 20 ms back", { delayUs: 5000, reverseDelayUs: 20_000 }, 5, 20],
    ["jitter of 4 ms", { delayUs: 2000, jitterUs: 4000, seed: 3 }, 2, 2],
  ])("delays: %s", async (_name, wire, forwardMs, backwardMs) => {
    const run = await measure(wire, 100, 0.01);
    const { summary, answers } = run;
    expect(summary).toMatchObject({ sent_packets: 100, received_packets: 100, lost_packets: 0, duplicate_packets: 0 });
    expect(summary.forward.min_ns).toBeGreaterThanOrEqual(forwardMs * 1e6);
    expect(summary.backward.min_ns).toBeGreaterThanOrEqual(backwardMs * 1e6);
    expect(middleError(run, "forward_ns")).toBeLessThan(CLOSE_NS);
    expect(middleError(run, "backward_ns")).toBeLessThan(CLOSE_NS);
    for (const { forward_ns, backward_ns, round_trip_ns } of answers) {
      expect(round_trip_ns).toBe((forward_ns ?? 0) + (backward_ns ?? 0));
    }
  });

  test.each([
    ["1 %", 10_000, 1000],
    ["30 %", 300_000, 500],
  ])("loss of %s: exactly what the wire dropped, each way by itself", async (_name, lossPpm, count) => {
    const run = await measure({ lossPpm, seed: 11, delayUs: 1000 }, count, 0.002);
    const { summary, wire } = run;
    const { forward, reverse } = wire;
    expect(forward).toMatchObject({ seen: count, overflowed: 0, unsent: 0 });
    expect(forward.dropped).toBeGreaterThan(0);
    expect(reverse.dropped).toBeGreaterThan(0);
    expect(summary).toMatchObject({ sent_packets: count, lost_packets: forward.dropped + reverse.dropped });
    expect(summary.received_packets).toBe(count - summary.lost_packets);
    const lost = lostForwardFor(run, count);
    expect(lost.all).toBe(forward.dropped);
    expect(summary.lost_forward_packets).toBe(lost.told);
  });

  test("duplicates: exactly those that the wire made", async () => {
    const { summary, wire } = await measure({ duplicateEvery: 20, delayUs: 1000 }, 300, 0.004);
    expect(wire.forward.duplicated).toBe(15);
    expect(summary).toMatchObject({
      sent_packets: 300,
      received_packets: 300,
      lost_packets: 0,
      duplicate_packets: wire.forward.duplicated + wire.reverse.duplicated,
    });
  });

  test("reordering: as RFC 4737 has it of the answers that tcpdump saw", async () => {
    const { summary, near, wire } = await measure({ reorderEvery: 25, reorderUs: 30_000, delayUs: 1000 }, 300, 0.005);
    let next = 0;
    const reordered = near.order.filter((sequence) => {
      if (sequence >= next) next = sequence + 1;
      else return true;
      return false;
    });
    expect(wire.forward.reordered).toBe(12);
    expect(summary).toMatchObject({ received_packets: 300, lost_packets: 0, reordered_packets: reordered.length });
    expect(reordered.length).toBeGreaterThan(0);
  });

  test("answers after the wait are lost, and counted as late", async () => {
    const { summary } = await measure({ delayUs: 60_000 }, 20, 0.05, "-w", "0.1");
    expect(summary).toMatchObject({ sent_packets: 20, received_packets: 0, lost_packets: 20 });
    expect(summary.late_packets).toBeGreaterThan(15);
  });
});
