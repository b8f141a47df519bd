import {
  buildPacket,
  cidrContains,
  type ExtensionHeader,
  formatAddress,
  type PacketSpec,
  type ParsedPacket,
  parsePacket,
} from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import fc from "fast-check";
import { NO_CONFIG_FILE } from "../src/config-file.ts";
import { type ProtocolClass, protocolClass } from "../src/protocol-class.ts";
import { parseRule, type Rule } from "../src/rule.ts";
import { Rig } from "./rig.ts";

const PACKETS = 1500;
const CHUNK = 500;
const START_NS = 1_000_000n;
const SEED = Number(process.env["SEED"] ?? 1);

const octets = (maxLength: number) => fc.uint8Array({ maxLength });
const port = fc.oneof(fc.constantFrom(22, 53, 80), fc.nat(65_535));
const transport: fc.Arbitrary<PacketSpec["transport"]> = fc.oneof(
  fc.record({ kind: fc.constant("udp" as const), sourcePort: port, destinationPort: port, payload: octets(60) }),
  fc.record({ kind: fc.constant("tcp" as const), sourcePort: port, destinationPort: port, payload: octets(60) }),
  fc.record({ kind: fc.constant("icmp" as const), type: fc.constantFrom(0, 3, 8, 128, 129), payload: octets(20) }),
  fc.record({ kind: fc.constant("raw" as const), protocol: fc.nat(255), payload: octets(60) }),
);
const vlans = fc.array(fc.record({ protocol: fc.constantFrom(0x8100, 0x88a8), id: fc.nat(4095) }), { maxLength: 2 });
const address4 = fc.oneof(fc.constantFrom("10.0.0.1", "10.0.7.9", "192.0.2.1", "1.1.1.1"), fc.ipV4());
const address6 = fc.constantFrom("2001:db8::1", "2001:db8:1:2:3:4:5:6", "fe80::1", "fd00::1");
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
  moreFragments: fc.boolean(),
  fragmentOffset: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.nat(1000).map((n) => n * 8) },
  ),
  options: fc.nat(10).map((words) => new Uint8Array(words * 4).fill(1)),
});
const ipv6 = fc.record({
  source: address6,
  destination: address6,
  extensions: fc.array(extension, { maxLength: 4 }),
});
const ethernet = fc.record({ vlans });
const proper = fc.oneof(
  fc.record({ ethernet, ipv4, transport }).map(buildPacket),
  fc.record({ ethernet, ipv6, transport }).map(buildPacket),
);
/** Proper packets, with octets changed, and cut off. */
const anyPacket = fc.oneof(
  { weight: 5, arbitrary: proper },
  {
    weight: 2,
    arbitrary: fc
      .tuple(proper, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([data, changes]) => {
        for (const [at, value] of changes) if (at < data.length) data[at] = value;
        return data;
      }),
  },
  { weight: 1, arbitrary: fc.tuple(proper, fc.nat(200)).map(([data, length]) => data.slice(0, length)) },
);

/** The kernel refuses to test-run a frame that is shorter than the IP header that its EtherType promises. */
function isRunnable(data: Uint8Array): boolean {
  const type = ((data[12] ?? 0) << 8) | (data[13] ?? 0);
  return data.length >= (type === 0x0800 ? 34 : type === 0x86dd ? 54 : 14) && data.length > 14;
}

const RULES = [
  "10.0.0.0/8 - - - -",
  "- 192.0.2.1 - 53 [UDP,TCP]",
  "2001:db8::/32 [fe80::/10,fd00::1] [22,53] - -",
  "- - - - ICMP",
  "1.1.1.1 10.0.0.0/21 - [22,80] TCP",
].map(parseRule);

/** Whether a rule matches, in plain words and by the other parser. */
function matches(rule: Rule, packet: ParsedPacket, name: ProtocolClass): boolean {
  const within = (list: Rule["sources"], address: Uint8Array) =>
    list.length === 0 || list.some((cidr) => cidrContains(cidr, address));
  const ports = packet.ports;
  const of = (list: readonly number[], value: number | undefined) =>
    list.length === 0 || (value !== undefined && list.includes(value));
  return (
    rule.protocols.includes(name) &&
    within(rule.sources, packet.source) &&
    within(rule.destinations, packet.destination) &&
    of(rule.sourcePorts, ports?.source) &&
    of(rule.destinationPorts, ports?.destination)
  );
}

/** What must become of a packet: the reason, or the flow and its octets. */
function expected(data: Uint8Array, rules: readonly Rule[]): readonly [string, bigint] {
  const packet = parsePacket(data, { link: "ethernet" });
  if (!packet.ok) return [packet.reason, 0n];
  const { protocol, family } = packet;
  const name = protocolClass(protocol);
  const wrongFamily = (protocol === 1 && family === 6) || (protocol === 58 && family === 4);
  if (!name || wrongFamily) return ["other_protocol", 0n];
  const room = packet.l2Length + packet.l3Length - packet.l4Offset;
  const header = data[packet.l4Offset + 12] ?? 0;
  const tcpHeader = (header >> 4) * 4;
  const isWhole = packet.fragment === "none";
  const bad = room < (name === "TCP" ? 20 : 8);
  if (packet.fragment !== "later" && bad && isWhole) return ["unparsable", 0n];
  if (packet.fragment !== "later" && !bad && name === "TCP" && (tcpHeader < 20 || tcpHeader > room)) {
    return ["unparsable", 0n];
  }
  if (rules.length > 0 && !rules.some((rule) => matches(rule, packet, name))) return ["no_match", 0n];
  const ports =
    isWhole && name !== "ICMP" ? `${packet.ports?.source} ${packet.ports?.destination}` : icmpOf(data, packet);
  const vlan = packet.vlans[0]?.id ?? 0;
  return [
    `${protocol} ${formatAddress(packet.source)} ${formatAddress(packet.destination)} ${ports} ${family} ${vlan}`,
    BigInt(packet.l3Length),
  ];
}

function icmpOf(data: Uint8Array, { fragment, protocol, l4Offset, family }: ParsedPacket): string {
  if (fragment !== "none" || (protocol !== 1 && protocol !== 58)) return "0 0";
  const [type = 0, code = 0] = data.subarray(l4Offset);
  const isEcho = family === 4 ? type === 0 || type === 8 : type === 128 || type === 129;
  const id = ((data[l4Offset + 4] ?? 0) << 8) | (data[l4Offset + 5] ?? 0);
  return `${(type << 8) | code} ${isEcho ? id : 0}`;
}

describePrivileged("the packet program and plain code", () => {
  test.each([
    ["everything", []],
    ["by rules", RULES],
  ])(`agree on ${PACKETS} random, changed and truncated packets: %s`, (_name, rules) => {
    const packets = fc.sample(anyPacket.filter(isRunnable), { seed: SEED, numRuns: PACKETS });
    using rig = new Rig({ tableSize: 2 * PACKETS });
    if (rules.length > 0) rig.settings({ ...NO_CONFIG_FILE, rules }, { place: 1, rules: 2 });
    const wanted = new Map<string, bigint>();
    const add = (name: string, value: bigint) => wanted.set(name, (wanted.get(name) ?? 0n) + value);
    for (let at = 0; at < packets.length; at += CHUNK) {
      for (const packet of packets.slice(at, at + CHUNK)) {
        rig.send(packet, START_NS);
        const [name, l3Bytes] = expected(packet, rules);
        add(name, 1n);
        if (l3Bytes > 0n) add(`${name} octets`, l3Bytes);
      }
      expect([`seed ${SEED}, packets ${at} on`, seen(rig)]).toEqual([`seed ${SEED}, packets ${at} on`, wanted]);
    }
    const names = [...wanted.keys()];
    expect(names).toEqual(expect.arrayContaining(["not_ip", "unparsable", "other_protocol"]));
    expect(names.length).toBeGreaterThan(50);
  });
});

function seen(rig: Rig): Map<string, bigint> {
  const sums = new Map<string, bigint>(Object.entries(rig.reasons()) as [string, bigint][]);
  for (const [key, flow] of rig.object.map("flows").entries()) {
    const bank = flow.banks[1];
    const name = [
      key.protocol,
      formatAddress(key.source),
      formatAddress(key.destination),
      key.source_port,
      key.destination_port,
      key.version,
      key.vlan,
    ].join(" ");
    sums.set(name, bank?.packets ?? 0n);
    sums.set(`${name} octets`, bank?.l3_bytes ?? 0n);
  }
  return sums;
}
