import { parseAddress } from "@waymark/packet";
import type { FlowEnd } from "./flow-end.ts";
import type { RttSample } from "./news.ts";
import { PrefixAggregator, prefixText } from "./prefix-aggregator.ts";

const octets = (text: string) => parseAddress(text) ?? new Uint8Array(16);
const aggregation = { intervalNs: 1n, timeoutNs: 0n, ipv4Bits: 24, ipv6Bits: 48, reverse: false, prefixes: 3 };

function sample(source: string, destination: string, rttNs: number): RttSample {
  const flow = { source: octets(source), destination: octets(destination) } as FlowEnd;
  const counts = {} as RttSample["counts"];
  return {
    kind: "rtt",
    flow,
    atNs: 0n,
    counts,
    rttNs,
    minRttNs: 0,
    method: "tcp_timestamp",
    local: false,
    confidencePermille: 1000,
  };
}

test.each([
  ["192.0.2.77", 4, 24, "192.0.2.0/24"],
  ["192.0.2.255", 4, 25, "192.0.2.128/25"],
  ["192.0.2.77", 4, 32, "192.0.2.77/32"],
  ["192.0.2.77", 4, 0, "0.0.0.0/0"],
  ["2001:db8:1:2:3::1", 6, 48, "2001:db8:1::/48"],
  ["fd99::1", 6, 0, "::/0"],
  ["fd99::ffff:1", 6, 64, "fd99::/64"],
] as const)("%s of family %i cut off after %i bits is %s", (address, family, bits, text) => {
  expect(prefixText(octets(address), family, bits)).toBe(text);
});

test("percentiles are right at 50 µs as well as at 5 s", () => {
  const aggregator = new PrefixAggregator(aggregation);
  for (let i = 0; i < 100; i++) aggregator.add(sample("10.0.0.1", "10.1.0.1", 50_000 + i));
  for (let i = 0; i < 100; i++) aggregator.add(sample("10.0.1.1", "10.1.0.1", 5_000_000_000 + i));
  const [fast, slow] = aggregator.take([]);
  for (const [summary, expected] of [
    [fast, 50_000],
    [slow, 5_000_000_000],
  ] as const) {
    for (const percent of [50, 95]) {
      const told = summary?.rtts?.percentile(percent) ?? 0;
      expect(Math.abs(told - expected) / expected).toBeLessThan(0.01);
    }
  }
  expect(aggregator.take([])).toEqual([]);
});

test("by where the answer comes from, or goes to", () => {
  const names = (reverse: boolean) => {
    const aggregator = new PrefixAggregator({ ...aggregation, reverse });
    aggregator.add(sample("10.0.0.1", "2001:db8::1", 5));
    return aggregator.take([]).map(({ prefix }) => prefix);
  };
  expect([names(false), names(true)]).toEqual([["10.0.0.0/24"], ["2001:db8::/48"]]);
});

test("prefixes that find no room are summed up together", () => {
  const aggregator = new PrefixAggregator(aggregation);
  for (let i = 0; i < 10; i++) aggregator.add(sample(`10.0.${i}.1`, "10.1.0.1", 5));
  const summaries = aggregator.take([]);
  expect(summaries.map(({ prefix, rtts }) => [prefix, rtts?.count])).toEqual([
    ["0.0.0.0/0", 7],
    ["10.0.0.0/24", 1],
    ["10.0.1.0/24", 1],
    ["10.0.2.0/24", 1],
  ]);
});
