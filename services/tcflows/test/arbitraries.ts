import { buildPacket, type ExtensionHeader, type PacketSpec } from "@waymark/packet";
import fc from "fast-check";

const octets = (maxLength: number) => fc.uint8Array({ maxLength });
const port = fc.oneof(fc.constantFrom(53, 443), fc.nat(65_535));
const transport: fc.Arbitrary<PacketSpec["transport"]> = fc.oneof(
  fc.record({ kind: fc.constant("udp" as const), sourcePort: port, destinationPort: port, payload: octets(60) }),
  fc.record({
    kind: fc.constant("tcp" as const),
    sourcePort: port,
    destinationPort: port,
    flags: fc.nat(255),
    payload: octets(60),
  }),
  fc.record({
    kind: fc.constant("icmp" as const),
    type: fc.oneof(fc.constantFrom(0, 3, 8, 13, 128, 129, 135), fc.nat(255)),
    code: fc.nat(255),
    rest: fc.nat(0x7fff_ffff),
    payload: octets(20),
  }),
  fc.record({ kind: fc.constant("raw" as const), protocol: fc.nat(255), payload: octets(60) }),
);
const address4 = fc.oneof(fc.constantFrom("10.0.0.1", "192.0.2.1", "0.0.0.0", "255.255.255.255"), fc.ipV4());
const address6 = fc.constantFrom("2001:db8::1", "2001:db8:1:2:3:4:5:6", "fe80::1", "ff02::1", "::", "fd00::1");
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
  tos: fc.nat(255),
  moreFragments: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.boolean() }),
  fragmentOffset: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.nat(1000).map((n) => n * 8) },
  ),
  options: fc.nat(10).map((words) => new Uint8Array(words * 4).fill(1)),
});
const ipv6 = fc.record({
  source: address6,
  destination: address6,
  trafficClass: fc.nat(255),
  extensions: fc.array(extension, { maxLength: 4 }),
});
const vlan = fc.record({ protocol: fc.constantFrom(0x8100, 0x88a8), id: fc.nat(4095) });
const ethernet = fc.record({
  vlans: fc.array(vlan, { maxLength: 2 }),
  source: fc.constantFrom("02:00:00:00:00:01", "02:00:00:00:00:03"),
});
const proper = fc.oneof(
  fc.record({ ethernet, ipv4, transport }).map(buildPacket),
  fc.record({ ethernet, ipv6, transport }).map(buildPacket),
);

/** Proper packets, with octets changed, cut off, and nonsense behind an EtherType. */
export const anyFrame = fc.oneof(
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
    arbitrary: fc
      .tuple(fc.constantFrom(0x0800, 0x86dd, 0x8100, 0x0806, 0x88cc, 0x0026), octets(90))
      .map(([type, rest]) => new Uint8Array([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, type >> 8, type & 255, ...rest])),
  },
);

/** The kernel refuses to test-run a frame that is shorter than the IP header that its EtherType promises. */
export function isRunnable(data: Uint8Array): boolean {
  const type = ((data[12] ?? 0) << 8) | (data[13] ?? 0);
  return data.length >= (type === 0x0800 ? 34 : type === 0x86dd ? 54 : 14) && data.length > 14;
}
