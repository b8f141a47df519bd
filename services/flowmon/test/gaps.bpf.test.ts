import { describePrivileged } from "@waymark/testkit";
import { gapDeviation, gapMean } from "../src/gap-figures.ts";
import { udp } from "./packets.ts";
import { plainGaps, random, twoPass } from "./reference.ts";
import { Rig } from "./rig.ts";

const START_NS = 5_000_000_000n;
const PACKET = udp(new Uint8Array(32));
const COUNT = 150;

/** Times of arrival with these gaps. */
function times(gapsNs: readonly bigint[]): bigint[] {
  const all = [START_NS];
  for (const gap of gapsNs) all.push((all.at(-1) ?? 0n) + gap);
  return all;
}

const next = random(7);
const patterns: Readonly<Record<string, readonly bigint[]>> = {
  constant: Array.from({ length: COUNT }, () => 1_000_000n),
  alternating: Array.from({ length: COUNT }, (_, i) => (i % 2 === 0 ? 200_000n : 1_800_000n)),
  Poisson: Array.from({ length: COUNT }, () => BigInt(Math.round(-Math.log(1 - next()) * 1e6))),
  "a pause of 1.9 s": [...Array.from({ length: 50 }, () => 1_000_000n), 1_900_000_000n, 3_000_000n, 5_000_000n],
  "a pause of 2.1 s": [...Array.from({ length: 50 }, () => 1_000_000n), 2_100_000_000n, 3_000_000n, 5_000_000n],
  "exactly 2 s, which is no pause": [1n, 2_000_000_000n, 1n],
  "squares beyond 64 bits": Array.from({ length: 30 }, () => 1_999_999_999n),
  "a constant flow with a tiny deviation": Array.from({ length: COUNT }, (_, i) => 1_900_000_000n + BigInt(i % 2)),
};

describePrivileged("gaps between packets", () => {
  test.each(Object.entries(patterns))(
    "%s: sums, mean and deviation are those of the times of arrival",
    (_name, gapsNs) => {
      using rig = new Rig();
      const arrivals = times(gapsNs);
      for (const at of arrivals) rig.send(PACKET, at);
      const { gaps } = rig.only();
      const { list, ...sums } = plainGaps(arrivals);
      expect(gaps).toEqual({ ...sums, superGaps: 0n });
      const { mean, deviation } = twoPass(list);
      expect(gapMean(gaps)).toBeCloseTo(mean, 3);
      // Two passes over doubles are themselves rounded; what they can tell is ours to the last of it.
      expect(gapDeviation(gaps)).toBeCloseTo(deviation, 2);
    },
  );

  test("segments of a super-packet follow without a gap, and their share is told", () => {
    using rig = new Rig();
    rig.send(PACKET, START_NS, { gso_size: 8, gso_segs: 4 });
    rig.send(PACKET, START_NS + 900n, { gso_size: 8, gso_segs: 4 });
    expect(rig.only().gaps).toEqual({ gaps: 7n, sumNs: 900n, squaresNs2: 810_000n, superGaps: 6n });
  });

  test("a gap belongs to the interval in which it ends; the flow's last packet is remembered", () => {
    using rig = new Rig();
    const turn = (START_NS / 65_536n + 10n) * 65_536n;
    rig.turn(1, turn);
    rig.send(PACKET, turn - 100n);
    rig.send(PACKET, turn - 1n);
    rig.send(PACKET, turn);
    rig.send(PACKET, turn + 5n);
    expect(rig.only(1)).toMatchObject({ packets: 2n, gaps: { gaps: 1n, sumNs: 99n } });
    expect(rig.only(2)).toMatchObject({ packets: 2n, gaps: { gaps: 2n, sumNs: 6n } });
    rig.turn(2, turn * 2n);
    rig.turn(3, turn * 4n);
    rig.send(PACKET, turn + 100n);
    expect(rig.only(3)).toMatchObject({ packets: 1n, gaps: { gaps: 1n, sumNs: 95n } });
    expect(rig.flows(1)).toEqual(new Map());
  });

  test("a clock that is read out of order on two CPUs makes no gap of centuries", () => {
    using rig = new Rig();
    rig.send(PACKET, START_NS + 50n);
    rig.send(PACKET, START_NS);
    rig.send(PACKET, START_NS + 60n);
    expect(rig.only().gaps).toMatchObject({ gaps: 2n, sumNs: 10n });
  });

  test("flows keep their gaps apart", () => {
    using rig = new Rig();
    for (let i = 0n; i < 10n; i++) {
      rig.send(udp(new Uint8Array(1)), START_NS + i * 1000n);
      rig.send(
        udp(new Uint8Array(1), { ipv4: { source: "10.0.0.3", destination: "10.0.0.2" } }),
        START_NS + i * 1000n + 1n,
      );
    }
    for (const figures of rig.flows().values()) expect(figures.gaps).toMatchObject({ gaps: 9n, sumNs: 9000n });
  });
});

describePrivileged("bursts", () => {
  test("the most in any aligned window of 1 ms and 10 ms, as of a plain histogram", () => {
    using rig = new Rig();
    const dice = random(3);
    const windows = { 1: new Map<bigint, bigint>(), 10: new Map<bigint, bigint>() };
    let at = START_NS;
    for (let i = 0; i < 300; i++) {
      at += BigInt(Math.floor(dice() * dice() * 1_500_000));
      const packet = udp(new Uint8Array(Math.floor(dice() * 1000)));
      rig.send(packet, at);
      for (const width of [1, 10] as const) {
        const window = at / (BigInt(width) * 1_000_000n);
        windows[width].set(window, (windows[width].get(window) ?? 0n) + BigInt(packet.length - 14));
      }
    }
    const most = (map: Map<bigint, bigint>) => [...map.values()].reduce((a, b) => (a > b ? a : b));
    expect(rig.only()).toMatchObject({ burst1msL3Bytes: most(windows[1]), burst10msL3Bytes: most(windows[10]) });
  });
});
