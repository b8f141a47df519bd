import {
  buildPacket,
  type ExtensionHeader,
  formatAddress,
  type PacketSpec,
  type ParsedPacket,
  parsePacket,
} from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import fc from "fast-check";
import type { AltmarkReason } from "../bpf/altmark.gen.ts";
import { Rig } from "./rig.ts";

const BLOCK = 10n;
const PACKETS = 10_000;
const CHUNK = 250;

type Outcome = keyof typeof AltmarkReason | `flow ${string}`;

/** What the source must do with a packet, in plain words and by the other parser. */
function expected(data: Uint8Array): Outcome {
  const packet = parsePacket(data, { link: "ethernet" });
  if (!packet.ok) return packet.reason === "not_ip" ? "ALTMARK_NOT_IP" : "ALTMARK_UNPARSABLE";
  if (packet.trafficClass >> 2 !== 0) return "ALTMARK_DSCP_IN_USE";
  if (isLocal(packet, data)) return "ALTMARK_LOCAL_SCOPE";
  const ports = packet.ports ?? { source: 0, destination: 0 };
  const end = (address: Uint8Array, port: number) => `${formatAddress(address)} ${port}`;
  return `flow ${packet.protocol} ${end(packet.source, ports.source)} ${end(packet.destination, ports.destination)} ${
    packet.fragment === "none" ? "whole" : "fragment"
  } ${packet.l3Length}`;
}

function isLocal(packet: ParsedPacket, data: Uint8Array): boolean {
  if (packet.hops <= 1 || ((data[0] ?? 0) & 1) === 1) return true;
  if ([packet.source, packet.destination].some((address) => isLocalAddress(formatAddress(address)))) return true;
  if (packet.family === 4) return packet.protocol === 2;
  const type = data[packet.l4Offset];
  if (packet.protocol !== 58 || packet.fragment === "later" || type === undefined) return false;
  return (type >= 130 && type <= 137) || type === 143;
}

function isLocalAddress(address: string): boolean {
  const first = Number(address.split(".")[0]);
  if (!address.includes(":")) return first >= 224 || address.startsWith("169.254.") || address === "0.0.0.0";
  return /^(ff|fe[89ab])/.test(address) || address === "::";
}

const octets = (maxLength: number) => fc.uint8Array({ maxLength });
const transport: fc.Arbitrary<PacketSpec["transport"]> = fc.oneof(
  fc.record({
    kind: fc.constant("udp" as const),
    sourcePort: fc.nat(65_535),
    destinationPort: fc.nat(65_535),
    payload: octets(60),
  }),
  fc.record({
    kind: fc.constant("tcp" as const),
    sourcePort: fc.nat(65_535),
    destinationPort: fc.nat(65_535),
    payload: octets(60),
  }),
  fc.record({ kind: fc.constant("icmp" as const), type: fc.nat(255), payload: octets(20) }),
  fc.record({ kind: fc.constant("raw" as const), protocol: fc.nat(255), payload: octets(60) }),
);
const tos = fc.oneof(fc.constantFrom(0, 0, 0, 1, 2, 3, 0x08, 0x0c), fc.nat(255));
const hops = fc.oneof(fc.constant(64), fc.nat(255));
const vlans = fc.array(fc.record({ protocol: fc.constantFrom(0x8100, 0x88a8), id: fc.nat(4095) }), { maxLength: 2 });
const address4 = fc.oneof(
  fc.constantFrom("10.0.0.1", "192.0.2.1", "224.0.0.5", "255.255.255.255", "169.254.1.1", "0.0.0.0", "127.0.0.1"),
  fc.ipV4(),
);
const address6 = fc.constantFrom(
  "2001:db8::1",
  "2001:db8:1:2:3:4:5:6",
  "fe80::1",
  "febf::1",
  "fec0::1",
  "ff02::1",
  "::",
  "::1",
  "fd00::1",
);
const extension: fc.Arbitrary<ExtensionHeader> = fc.oneof(
  fc.record({ kind: fc.constantFrom("hop-by-hop" as const, "destination-options" as const) }),
  fc.record({
    kind: fc.constant("fragment" as const),
    offset: fc.nat(100).map((n) => n * 8),
    more: fc.boolean(),
    id: fc.nat(),
  }),
);
const ipv4 = fc.record({
  source: address4,
  destination: address4,
  tos,
  ttl: hops,
  moreFragments: fc.boolean(),
  fragmentOffset: fc.oneof(
    fc.constant(0),
    fc.nat(1000).map((n) => n * 8),
  ),
  options: fc.nat(10).map((words) => new Uint8Array(words * 4).fill(1)),
});
const ipv6 = fc.record({
  source: address6,
  destination: address6,
  trafficClass: tos,
  hopLimit: hops,
  flowLabel: fc.nat(0xfffff),
  extensions: fc.array(extension, { maxLength: 4 }),
});
const ethernet = fc.record({
  vlans,
  destination: fc.constantFrom("02:00:00:00:00:02", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff"),
});
const proper = fc.oneof(
  fc.record({ ethernet, ipv4, transport }).map(buildPacket),
  fc.record({ ethernet, ipv6, transport }).map(buildPacket),
);
/** Proper packets, with octets changed, cut off, and nonsense behind an EtherType. */
const anyPacket = fc.oneof(
  { weight: 4, arbitrary: proper },
  {
    weight: 3,
    arbitrary: fc
      .tuple(proper, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([data, changes]) => {
        for (const [at, value] of changes) if (at < data.length) data[at] = value;
        return data;
      }),
  },
  { weight: 2, arbitrary: fc.tuple(proper, fc.nat(200)).map(([data, length]) => data.slice(0, length)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(0x0800, 0x86dd, 0x8100, 0x0806), octets(90)).map(([type, rest]) => {
      return new Uint8Array([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, type >> 8, type & 255, ...rest]);
    }),
  },
);

/** The kernel refuses to test-run a frame that is shorter than the IP header that its EtherType promises. */
function isRunnable(data: Uint8Array): boolean {
  const type = ((data[12] ?? 0) << 8) | (data[13] ?? 0);
  return data.length >= (type === 0x0800 ? 34 : type === 0x86dd ? 54 : 14) && data.length > 14;
}

describePrivileged("the packet program and the packet library", () => {
  test(`agree on ${PACKETS} random, changed and truncated packets`, () => {
    const seed = Number(process.env["SEED"] ?? 1);
    const packets = fc.sample(anyPacket.filter(isRunnable), { seed, numRuns: PACKETS });
    using rig = new Rig({ perFlow: true, slots: 8 });
    for (let at = 0; at < packets.length; at += CHUNK) {
      const chunk = packets.slice(at, at + CHUNK);
      rig.at(BLOCK, 0.1, { forget: true });
      for (const packet of chunk) {
        const out = rig.run("altmark_source", packet);
        expect(out.length).toBe(packet.length);
      }
      const seen = outcomes(rig);
      const wanted = tally(chunk);
      if (!equal(seen, wanted)) throw new Error(`seed ${seed}, packets ${at} on: ${difference(seen, wanted)}`);
    }
  });
});

type Tally = Map<string, bigint>;

/** The length and the fragments of a flow are sums: they are told apart by name in what is expected. */
function tally(packets: readonly Uint8Array[]): Tally {
  const sums: Tally = new Map();
  const add = (name: string, value: bigint) => sums.set(name, (sums.get(name) ?? 0n) + value);
  for (const packet of packets) {
    const outcome = expected(packet);
    if (!outcome.startsWith("flow ")) {
      add(outcome, 1n);
      continue;
    }
    const words = outcome.split(" ");
    const name = words.slice(0, -2).join(" ");
    add(name, 1n);
    add(`${name} octets`, BigInt(words.at(-1) ?? 0));
    if (words.at(-2) === "fragment") add(`${name} fragments`, 1n);
  }
  return sums;
}

const before: Tally = new Map();

/** What the program has counted since the last call. */
function outcomes(rig: Rig): Tally {
  const now: Tally = new Map(Object.entries(rig.reasons()));
  const table = rig.object.map("flow_tables").get(Number(BLOCK % 8n));
  const sums: Tally = new Map();
  for (const [name, value] of now) {
    const added = value - (before.get(name) ?? 0n);
    if (added > 0n) sums.set(name, added);
    before.set(name, value);
  }
  for (const [key, count] of table?.drain() ?? []) {
    const end = (address: Uint8Array, port: number) => `${formatAddress(address)} ${port}`;
    const name = `flow ${key.protocol} ${end(key.source, key.source_port)} ${end(key.destination, key.destination_port)}`;
    sums.set(name, count.packets);
    sums.set(`${name} octets`, count.l3_bytes);
    if (count.fragments > 0n) sums.set(`${name} fragments`, count.fragments);
  }
  return sums;
}

function equal(a: Tally, b: Tally): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}

function difference(seen: Tally, wanted: Tally): string {
  const names = new Set([...seen.keys(), ...wanted.keys()]);
  return [...names]
    .filter((name) => seen.get(name) !== wanted.get(name))
    .map((name) => `${name}: ${seen.get(name) ?? 0n}, not ${wanted.get(name) ?? 0n}`)
    .join("; ");
}
