import { describePrivileged } from "@waymark/testkit";
import { FlowmonEvent } from "../bpf/flowmon.gen.ts";
import type { NumberPlace } from "../src/config-file.ts";
import { NO_CONFIG_FILE } from "../src/config-file.ts";
import { netEpisodes, netLost } from "../src/sequence-figures.ts";
import { echo, numbered, udp, udp6 } from "./packets.ts";
import { generateNumbers, plainSequence, random } from "./reference.ts";
import { FIRST_FOUR, Rig } from "./rig.ts";

const START_NS = 1_000_000n;
const PATTERN = 0xdeadbeef;
/** A test run takes no longer packets than a page; all 5000 positions are looked at on a real link. */
const SEARCH_BYTES = 3300;
/** Octets that are searched together: the pattern may lie across their edges. */
const CHUNK = 256;

function rigAt(place: NumberPlace | undefined, threshold = 10n): Rig {
  return new Rig({ loss: true, file: { place, threshold } });
}

/** Sends datagrams with these numbers, one after the other. */
function send(rig: Rig, place: NumberPlace, numbers: readonly bigint[], make = udp): void {
  for (const [i, number] of numbers.entries()) {
    rig.send(make(numbered(number, { ...place, size: place.offset + place.octets + 3 })), START_NS + BigInt(i));
  }
}

const wide = (place: Partial<NumberPlace>): NumberPlace => ({ ...FIRST_FOUR, ...place });

describePrivileged("sequence numbers of datagrams", () => {
  test.each([
    ["32 bits from 0", FIRST_FOUR, 0n],
    ["32 bits over the wrap", FIRST_FOUR, 2n ** 32n - 700n],
    ["16 bits over the wrap, little-endian, at an offset", wide({ octets: 2, littleEndian: true, offset: 7 }), 65_000n],
    ["64 bits over the wrap", wide({ octets: 8, offset: 3 }), 2n ** 64n - 500n],
    ["in steps of 160", wide({ octets: 4, step: 160n }), 2n ** 32n - 160n * 300n],
  ] as const)("%s: every counter is what the generator's log says", (_name, place, first) => {
    const log = generateNumbers(900, random(11));
    const modulus = 1n << BigInt(8 * place.octets);
    const step = place.step ?? 1n;
    const wire = log.sent.map((number) => (first + BigInt(number) * step) % modulus);
    using rig = rigAt(place, 4n * step);
    send(rig, place, wire);
    const found = rig.only().sequence!;
    expect(found).toMatchObject(plainSequence(log.sent, Number(4n * step), Number(step)));
    // and what the generator itself decided
    expect([netLost(found), netEpisodes(found)]).toEqual([BigInt(log.lost), BigInt(log.episodes)]);
    expect([found.duplicates, found.reordered]).toEqual([BigInt(log.duplicates), BigInt(log.late)]);
    expect(found.current).toBe((first + 899n * step) % modulus);
    expect(found.restarts).toBe(0n);
    expect(log.lost * log.duplicates * log.late * log.episodes).toBeGreaterThan(0);
  });

  test.each([
    [
      [1, 2, 4, 3, 5],
      { lost: 1n, recovered: 1n, reordered: 1n, reverse: 1n, small: 1n, episodes: 1n, episodesChange: -1n },
    ],
    [[1, 2, 2, 3], { duplicates: 1n, small: 1n, reverse: 0n, lost: 0n }],
    [[1, 2, 3, 2, 4], { duplicates: 1n, reverse: 1n, reordered: 0n }],
    [[1, 6, 3, 7], { lost: 4n, recovered: 1n, episodes: 1n, episodesChange: 1n }],
    [[1, 12], { small: 0n, big: 1n, lost: 10n }],
    [[1, 11], { small: 1n, big: 0n, lost: 9n }],
    [[5, 4, 6], { reordered: 1n, reverse: 1n, lost: 0n, recovered: 0n, duplicates: 0n }],
  ])("%j", (numbers, expected) => {
    using rig = rigAt(FIRST_FOUR);
    send(rig, FIRST_FOUR, numbers.map(BigInt));
    expect(rig.only().sequence).toMatchObject(expected);
  });

  test("a sender that begins anew, or jumps a million ahead, restarts; that is no loss", () => {
    using rig = rigAt(FIRST_FOUR);
    const run = (from: bigint) => Array.from({ length: 5 }, (_, i) => from + BigInt(i));
    send(rig, FIRST_FOUR, [...run(100_000n), ...run(0n), ...run(1_500_000_000n)]);
    expect(rig.only().sequence).toMatchObject({ lost: 0n, restarts: 2n, received: 15n, reverse: 2n });
  });

  test("ICMP and IPv6 have their numbers, too; echo streams are told apart by identifier", () => {
    using rig = rigAt(FIRST_FOUR);
    for (const [i, number] of [1n, 2n, 4n].entries()) {
      rig.send(udp6(numbered(number)), START_NS + BigInt(i));
      rig.send(echo(7, i, numbered(number)), START_NS + BigInt(i));
      rig.send(echo(8, i, numbered(number + 10n)), START_NS + BigInt(i));
    }
    const flows = [...rig.flows().values()];
    expect(flows).toHaveLength(3);
    for (const { sequence } of flows) expect(sequence).toMatchObject({ received: 3n, lost: 1n, small: 1n });
  });

  test("every datagram of a super-packet is read, the last short one too", () => {
    using rig = rigAt(FIRST_FOUR);
    const payload = new Uint8Array(3 * 100 + 4);
    for (const [i, number] of [5n, 6n, 8n, 9n].entries()) payload.set(numbered(number, { size: 4 }), i * 100);
    rig.send(udp(payload), START_NS, { gso_size: 100, gso_segs: 4 });
    rig.send(udp(payload), START_NS, { gso_size: 100, gso_segs: 0 });
    expect(rig.only()).toMatchObject({
      packets: 8n,
      sequence: { received: 8n, lost: 1n, duplicates: 4n, current: 9n },
    });
  });

  test("a datagram without room for a number is counted as one, and nothing is made up", () => {
    using rig = rigAt(wide({ offset: 10 }));
    rig.send(udp(new Uint8Array(13)), START_NS);
    rig.send(udp(new Uint8Array(14)), START_NS);
    expect(rig.only()).toMatchObject({ packets: 2n, sequence: { received: 1n } });
    expect(rig.event(FlowmonEvent.FLOWMON_UNNUMBERED)).toBe(1n);
  });

  test("off: nothing is looked at, nothing is shown", () => {
    for (const options of [
      { loss: true, file: { place: undefined } },
      { loss: false, file: { place: FIRST_FOUR } },
    ]) {
      using rig = new Rig(options);
      send(rig, FIRST_FOUR, [1n, 5n]);
      expect(rig.only().sequence).toBeUndefined();
      expect(rig.raw()[0]).toMatchObject({ started: 0 });
    }
  });

  test("another place for the numbers begins them anew, and counts stay", () => {
    using rig = rigAt(FIRST_FOUR);
    send(rig, FIRST_FOUR, [1n, 3n]);
    const place = wide({ offset: 8 });
    rig.settings({ ...NO_CONFIG_FILE, place, threshold: 10n }, { place: 2, rules: 1 });
    send(rig, place, [100n, 101n]);
    expect(rig.only()).toMatchObject({ packets: 4n, sequence: { received: 4n, lost: 1n, small: 1n, current: 101n } });
  });
});

describePrivileged("a number behind a pattern", () => {
  const place = wide({ pattern: PATTERN, offset: 6 });
  const size = SEARCH_BYTES + 20;

  /** A datagram with the pattern at a position and the number where `place` says. */
  function behind(position: number, number: bigint, length = size): Uint8Array {
    const payload = new Uint8Array(length).fill(0xde);
    payload.set(numbered(BigInt(PATTERN), { size: 4 }), position);
    payload.set(numbered(number, { size: 4 }), position + 6);
    return udp(payload);
  }

  test("is found around every edge between what is read together, and at any place within", () => {
    using rig = rigAt(place);
    const atEdge = (position: number) => (position + 9) % CHUNK < 18;
    const positions = Array.from({ length: SEARCH_BYTES }, (_, at) => at).filter((at) => atEdge(at) || at % 11 === 0);
    for (const [i, position] of positions.entries()) rig.send(behind(position, BigInt(i)), START_NS + BigInt(i));
    expect(rig.only().sequence).toMatchObject({
      received: BigInt(positions.length),
      current: BigInt(positions.length - 1),
      lost: 0n,
      reverse: 0n,
      small: 0n,
      big: 0n,
    });
  });

  test.each([
    ["is cut off by the payload's end", udp(new Uint8Array([0, 0, 0xde, 0xad, 0xbe]))],
    ["has no room for the number behind it", behind(0, 1n, 10).slice(0, -1)],
    ["is not there", udp(new Uint8Array(1400).fill(0xde))],
  ])("is not found where the pattern %s", (_name, data) => {
    using rig = rigAt(place);
    // what an earlier packet left in the buffer must not be found either
    rig.send(behind(2, 7n), START_NS);
    const whole = data.slice();
    new DataView(whole.buffer).setUint16(16, whole.length - 14);
    rig.send(whole, START_NS + 1n);
    expect(rig.only().sequence).toMatchObject({ received: 1n, current: 7n });
    expect(rig.event(FlowmonEvent.FLOWMON_UNNUMBERED)).toBe(1n);
  });

  test("may lie before the pattern", () => {
    using rig = rigAt(wide({ pattern: PATTERN, offset: -4 }));
    const payload = new Uint8Array(40);
    payload.set(numbered(77n, { size: 4 }), 10);
    payload.set(numbered(BigInt(PATTERN), { size: 4 }), 14);
    rig.send(udp(payload), START_NS);
    expect(rig.only().sequence).toMatchObject({ received: 1n, current: 77n });
  });

  test("is looked for in every datagram of a super-packet by itself", () => {
    using rig = rigAt(place);
    const payload = new Uint8Array(600);
    for (const [i, number] of [1n, 2n, 3n].entries()) {
      payload.set(numbered(BigInt(PATTERN), { size: 4 }), i * 200 + i * 37);
      payload.set(numbered(number, { size: 4 }), i * 200 + i * 37 + 6);
    }
    rig.send(udp(payload), START_NS, { gso_size: 200, gso_segs: 3 });
    expect(rig.only().sequence).toMatchObject({ received: 3n, current: 3n, lost: 0n });
  });
});
