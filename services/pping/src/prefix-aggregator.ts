import { familyOf, formatAddress, mapIpv4 } from "@waymark/packet";
import { LogHistogram } from "@waymark/stats";
import type { PpingPrefix, PpingPrefixTraffic } from "../bpf/pping.gen.ts";
import type { Aggregation } from "./config.ts";
import type { FlowEnd } from "./flow-end.ts";
import type { RttSample } from "./news.ts";
import type { MethodRtts, PrefixSummary, PrefixTraffic } from "./prefix-summary.ts";

const ADDRESS = 16;
const IPV4_AT = 12;
const NO_AMOUNT = { packets: 0n, l3Bytes: 0n };
const NO_TRAFFIC: PrefixTraffic = { timestamps: NO_AMOUNT, noTimestamps: NO_AMOUNT, other: NO_AMOUNT };
const OTHER_PREFIX = { 4: "0.0.0.0/0", 6: "::/0" } as const;

/** Sums up round-trip times by prefix, and joins them with the kernel's counts. */
export class PrefixAggregator {
  readonly #aggregation: Aggregation;
  /** By prefix, then by method. */
  readonly #rtts = new Map<string, Map<string, MethodRtts>>();
  readonly #names = new WeakMap<FlowEnd, string>();

  constructor(aggregation: Aggregation) {
    this.#aggregation = aggregation;
  }

  /** A sample that finds no room counts for all other prefixes. */
  add(sample: RttSample): void {
    const { ipv4Bits, reverse, prefixes } = this.#aggregation;
    let name = this.#names.get(sample.flow);
    if (name === undefined) {
      const address = reverse ? sample.flow.destination : sample.flow.source;
      const family = familyOf(address);
      name = prefixText(address, family, family === 4 ? ipv4Bits : this.#aggregation.ipv6Bits);
      this.#names.set(sample.flow, name);
    }
    if (!this.#rtts.has(name) && this.#rtts.size >= prefixes) {
      name = OTHER_PREFIX[familyOf(sample.flow.source)];
    }
    const methods = this.#rtts.get(name) ?? new Map<string, MethodRtts>();
    this.#rtts.set(name, methods);
    const key = `${sample.method} ${sample.local}`;
    const kind = methods.get(key) ?? { method: sample.method, local: sample.local, rtts: new LogHistogram() };
    methods.set(key, kind);
    kind.rtts.add(sample.rttNs);
  }

  /** Everything since the last time, by prefix in the order of their names; without those that saw nothing. */
  take(kernel: Iterable<readonly [PpingPrefix, PpingPrefixTraffic]>): PrefixSummary[] {
    const traffic = new Map<string, { received: PrefixTraffic; sent: PrefixTraffic }>();
    for (const [prefix, counted] of kernel) {
      const name = this.#nameOf(prefix);
      const before = traffic.get(name) ?? { received: NO_TRAFFIC, sent: NO_TRAFFIC };
      traffic.set(name, {
        received: sum(before.received, trafficOf(counted.received)),
        sent: sum(before.sent, trafficOf(counted.sent)),
      });
    }
    const names = [...new Set([...traffic.keys(), ...this.#rtts.keys()])].sort();
    const summaries = names.map((prefix) => {
      const { received = NO_TRAFFIC, sent = NO_TRAFFIC } = traffic.get(prefix) ?? {};
      const methods = [...(this.#rtts.get(prefix)?.values() ?? [])];
      return { prefix, received, sent, methods, rtts: merged(methods) };
    });
    this.#rtts.clear();
    return summaries.filter(
      ({ received, sent, rtts }) => rtts !== undefined || hasPackets(received) || hasPackets(sent),
    );
  }

  #nameOf({ bits, family, other }: PpingPrefix): string {
    const { ipv4Bits, ipv6Bits } = this.#aggregation;
    if (other !== 0) return OTHER_PREFIX[family === 4 ? 4 : 6];
    const octets = new Uint8Array(8);
    new DataView(octets.buffer).setBigUint64(0, bits, true);
    if (family === 4) return prefixText(mapIpv4(octets.subarray(0, 4)), 4, ipv4Bits);
    const address = new Uint8Array(ADDRESS);
    address.set(octets);
    return prefixText(address, 6, ipv6Bits);
  }
}

/** `192.0.2.0/24`: an address cut off after so many bits. */
export function prefixText(address: Uint8Array, family: 4 | 6, bits: number): string {
  const from = family === 4 ? IPV4_AT : 0;
  const cut = address.slice(from).map((octet, i) => {
    const kept = Math.min(8, Math.max(0, bits - 8 * i));
    return octet & (0xff00 >> kept) & 0xff;
  });
  return `${formatAddress(cut)}/${bits}`;
}

function trafficOf(amounts: PpingPrefixTraffic["sent"]): PrefixTraffic {
  const [timestamps = NO_AMOUNT, noTimestamps = NO_AMOUNT, other = NO_AMOUNT] = amounts.map(
    ({ packets, l3_bytes }) => ({ packets, l3Bytes: l3_bytes }),
  );
  return { timestamps, noTimestamps, other };
}

function sum(a: PrefixTraffic, b: PrefixTraffic): PrefixTraffic {
  const add = (kind: keyof PrefixTraffic) => ({
    packets: a[kind].packets + b[kind].packets,
    l3Bytes: a[kind].l3Bytes + b[kind].l3Bytes,
  });
  return { timestamps: add("timestamps"), noTimestamps: add("noTimestamps"), other: add("other") };
}

function hasPackets({ timestamps, noTimestamps, other }: PrefixTraffic): boolean {
  return timestamps.packets > 0n || noTimestamps.packets > 0n || other.packets > 0n;
}

function merged(methods: readonly MethodRtts[]): LogHistogram | undefined {
  if (methods.length === 0) return undefined;
  const all = new LogHistogram();
  for (const { rtts } of methods) all.merge(rtts);
  return all;
}
