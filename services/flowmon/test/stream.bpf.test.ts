import { describePrivileged } from "@waymark/testkit";
import { FlowmonEvent } from "../bpf/flowmon.gen.ts";
import { netEpisodes, netLost } from "../src/sequence-figures.ts";
import { tcp } from "./packets.ts";
import { random } from "./reference.ts";
import { Rig } from "./rig.ts";

const START_NS = 1_000_000n;
const SYN = 2;
const MODULUS = 2 ** 32;

interface Segment {
  readonly from: number;
  readonly length: number;
}

/** A plain receiver: remembers every octet of the stream. */
function plain(segments: readonly Segment[], threshold: number) {
  const seen = new Set<number>();
  let next = segments[0]?.from ?? 0;
  const counts = { goodput: 0, reverse: 0, small: 0, big: 0, duplicates: 0, reordered: 0, lost: 0, recovered: 0 };
  for (const { from, length } of segments) {
    let fresh = 0;
    for (let octet = from; octet < from + length; octet++) {
      if (seen.has(octet)) continue;
      seen.add(octet);
      fresh++;
      if (octet < next) counts.recovered++;
    }
    counts.goodput += fresh;
    if (from > next) {
      if (from - next > threshold) counts.big++;
      else counts.small++;
      counts.lost += from - next;
    } else if (from < next && length > 0) {
      counts.reverse++;
      if (fresh > 0) counts.reordered++;
      else counts.duplicates++;
    }
    next = Math.max(next, from + length);
  }
  const missing: number[] = [];
  for (let octet = segments[0]?.from ?? 0; octet < next; octet++) if (!seen.has(octet)) missing.push(octet);
  const runs = missing.filter((octet, i) => missing[i - 1] !== octet - 1).length;
  return { ...counts, missing: missing.length, runs };
}

/** Segments of a stream: some lost and sent again later, some of them with other bounds, some twice. */
function generate(count: number, next: () => number): Segment[] {
  const queue: (Segment & { readonly at: number })[] = [];
  let from = 0;
  for (let i = 0; i < count; i++) {
    const length = 1 + Math.floor(next() * 100);
    const dice = i === 0 ? 1 : next();
    if (dice < 0.08) queue.push({ at: i + 0.5 + Math.floor(1 + next() * 12), from, length });
    else if (dice < 0.12)
      queue.push({ at: i + 0.6 + Math.floor(next() * 12), from: Math.max(0, from - 40), length: length + 60 });
    else queue.push({ at: i, from, length });
    if (dice > 0.96) queue.push({ at: i + 0.7 + Math.floor(next() * 12), from, length });
    from += length;
  }
  return queue.sort((a, b) => a.at - b.at);
}

function send(rig: Rig, segments: readonly Segment[], first: number): void {
  for (const [i, { from, length }] of segments.entries()) {
    rig.send(tcp((first + from) % MODULUS, length), START_NS + BigInt(i));
  }
}

describePrivileged("a TCP stream", () => {
  test.each([
    [1, 1000],
    [2, MODULUS - 20_000],
    [3, 0],
  ])("octets are good once, holes close, figures are those of a plain receiver (seed %i, first %i)", (seed, first) => {
    const segments = generate(900, random(seed));
    const expected = plain(segments, 60);
    using rig = new Rig({ loss: true, file: { threshold: 60n } });
    send(rig, segments, first);
    const { sequence, goodputBytes, payloadBytes } = rig.only();
    expect(rig.event(FlowmonEvent.FLOWMON_FORGOTTEN_BYTES)).toBe(0n);
    expect(payloadBytes).toBe(BigInt(segments.reduce((sum, { length }) => sum + length, 0)));
    expect(goodputBytes).toBe(BigInt(expected.goodput));
    const { goodput: _, missing, runs, ...counts } = expected;
    expect(sequence).toMatchObject(Object.fromEntries(Object.entries(counts).map(([k, v]) => [k, BigInt(v)])));
    expect([netLost(sequence!), netEpisodes(sequence!)]).toEqual([BigInt(missing), BigInt(runs)]);
    expect(expected.duplicates * expected.reordered * expected.small * expected.big).toBeGreaterThan(0);
  });

  test("a stream in order shows no error, and its handshake none either", () => {
    using rig = new Rig({ loss: true });
    rig.send(tcp(999, 0, SYN), START_NS);
    rig.send(tcp(1000, 0), START_NS);
    for (let i = 0; i < 20; i++) rig.send(tcp(1000 + i * 50, 50, i === 19 ? 17 : 16), START_NS);
    rig.send(tcp(2001, 0), START_NS);
    expect(rig.only()).toMatchObject({
      goodputBytes: 1000n,
      sequence: { current: 2000n, received: 1000n, reverse: 0n, small: 0n, big: 0n, duplicates: 0n, lost: 0n },
    });
  });

  test("a super-packet is one stretch of octets and several packets", () => {
    using rig = new Rig({ loss: true });
    rig.send(tcp(0, 100), START_NS);
    rig.send(tcp(100, 300), START_NS, { gso_size: 100, gso_segs: 3 });
    rig.send(tcp(100, 300), START_NS, { gso_size: 100, gso_segs: 3 });
    expect(rig.only()).toMatchObject({
      packets: 7n,
      goodputBytes: 400n,
      payloadBytes: 700n,
      l3Bytes: 700n + 7n * 40n,
      sequence: { received: 700n, reverse: 3n, duplicates: 3n },
    });
  });

  test("a keep-alive is a duplicate octet, not goodput", () => {
    using rig = new Rig({ loss: true });
    rig.send(tcp(0, 100), START_NS);
    rig.send(tcp(99, 1), START_NS);
    expect(rig.only()).toMatchObject({ goodputBytes: 100n, sequence: { duplicates: 1n, reverse: 1n } });
  });

  test("a new connection on the same ports begins anew, with a SYN or without", () => {
    using rig = new Rig({ loss: true });
    rig.send(tcp(0, 100), START_NS);
    rig.send(tcp(3_000_000_000, 0, SYN), START_NS);
    rig.send(tcp(3_000_000_001, 100), START_NS);
    rig.send(tcp(1_500_000_000, 100), START_NS);
    expect(rig.only()).toMatchObject({ goodputBytes: 300n, sequence: { lost: 0n, reverse: 0n, restarts: 1n } });
  });

  test("more holes than are remembered: what is forgotten is counted, goodput errs on the low side", () => {
    using rig = new Rig({ loss: true });
    const holes = 20;
    for (let i = 0; i <= holes; i++) rig.send(tcp(i * 20, 10), START_NS);
    expect(rig.event(FlowmonEvent.FLOWMON_FORGOTTEN_BYTES)).toBe(40n);
    for (let i = 0; i < holes; i++) rig.send(tcp(i * 20 + 10, 10), START_NS);
    expect(rig.only()).toMatchObject({ goodputBytes: BigInt((holes + 1) * 10 + holes * 10 - 40) });
  });

  test("off: goodput is known all the same, and no numbers are shown", () => {
    using rig = new Rig();
    for (const from of [0, 100, 100, 300, 200]) rig.send(tcp(from, 100), START_NS);
    expect(rig.only()).toMatchObject({ payloadBytes: 500n, goodputBytes: 400n, sequence: undefined });
  });
});
