import {
  type EthernetSpec,
  type ExtensionHeader,
  formatAddress,
  type Ipv4Spec,
  type Ipv6Spec,
  mapIpv4,
  type PacketSpec,
  type TcpOption,
  type TransportSpec,
} from "@waymark/packet";
import fc from "fast-check";

const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const octets = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });

export const ipv4Address = octets(4).map((bytes) => formatAddress(mapIpv4(bytes)));
/** Never IPv4-mapped: an IPv6 packet with such addresses is parsed to the same octets, but not built from the same text. */
export const ipv6Address = octets(16).map((bytes) => formatAddress(Uint8Array.of(0x20, ...bytes.subarray(1))));

const macAddress = octets(6).map((bytes) => [...bytes].map((octet) => octet.toString(16).padStart(2, "0")).join(":"));

export const tcpOption: fc.Arbitrary<TcpOption> = fc.oneof(
  fc.constant({ kind: "nop" } as const),
  fc.record({ kind: fc.constant("mss" as const), value: uint(16) }),
  fc.record({ kind: fc.constant("window-scale" as const), shift: uint(4) }),
  fc.constant({ kind: "sack-permitted" } as const),
  fc.record({
    kind: fc.constant("sack" as const),
    blocks: fc.array(fc.tuple(uint(32), uint(32)), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("timestamps" as const), value: uint(32), echo: uint(32) }),
  fc.record({ kind: fc.constant("other" as const), number: fc.integer({ min: 28, max: 254 }), data: octets(0, 6) }),
);

/** Options that fit into a header. */
export const tcpOptions = fc.array(tcpOption, { maxLength: 4 }).map((options) => {
  const sizes = options.map((option) => {
    if (option.kind === "nop") return 1;
    if (option.kind === "other") return 2 + option.data.length;
    if (option.kind === "sack") return 2 + 8 * option.blocks.length;
    return { mss: 4, "window-scale": 3, "sack-permitted": 2, timestamps: 10 }[option.kind];
  });
  let room = 40;
  return options.filter((_, i) => {
    if (sizes[i]! > room) return false;
    room -= sizes[i]!;
    return true;
  });
});

export const transport: fc.Arbitrary<TransportSpec> = fc.oneof(
  fc.record({
    kind: fc.constant("udp" as const),
    sourcePort: uint(16),
    destinationPort: uint(16),
    payload: octets(0, 64),
  }),
  fc.record({
    kind: fc.constant("tcp" as const),
    sourcePort: uint(16),
    destinationPort: uint(16),
    sequence: uint(32),
    acknowledgement: uint(32),
    flags: uint(8),
    window: uint(16),
    urgentPointer: uint(16),
    options: tcpOptions,
    payload: octets(0, 64),
  }),
  fc.record({
    kind: fc.constant("icmp" as const),
    type: fc.constantFrom(0, 8, 128, 129),
    code: fc.constant(0),
    rest: uint(32),
    payload: octets(0, 64),
  }),
  // GRE, ESP, OSPF, SCTP, 253 and 254 for experiments: nothing that is walked over
  fc.record({
    kind: fc.constant("raw" as const),
    protocol: fc.constantFrom(47, 50, 89, 132, 253, 254),
    payload: octets(0, 64),
  }),
);

export const ethernet: fc.Arbitrary<EthernetSpec> = fc.record({
  source: macAddress,
  destination: macAddress,
  vlans: fc.array(
    fc.record({
      protocol: fc.constantFrom(0x8100, 0x88a8),
      id: uint(12),
      priority: uint(3),
      dropEligible: fc.boolean(),
    }),
    { maxLength: 2 },
  ),
});

export const ipv4: fc.Arbitrary<Ipv4Spec> = fc.record({
  source: ipv4Address,
  destination: ipv4Address,
  tos: uint(8),
  ttl: uint(8),
  id: uint(16),
  dontFragment: fc.boolean(),
  moreFragments: fc.boolean(),
  fragmentOffset: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: uint(13).map((n) => n * 8) },
  ),
  options: fc.oneof(
    fc.constant(new Uint8Array(0)),
    fc.integer({ min: 1, max: 10 }).map((n) => new Uint8Array(4 * n).fill(1)),
  ),
});

const plainExtension: fc.Arbitrary<ExtensionHeader> = fc.oneof(
  fc.record({ kind: fc.constantFrom("hop-by-hop" as const, "destination-options" as const) }),
  fc.record({ kind: fc.constant("routing" as const), type: fc.constant(253), segmentsLeft: fc.constant(0) }),
  fc.record({
    kind: fc.constant("ah" as const),
    spi: uint(32),
    sequence: uint(32),
    icv: fc.constantFrom(4, 12).chain((n) => octets(n)),
  }),
);
const fragment: fc.Arbitrary<ExtensionHeader> = fc.record({
  kind: fc.constant("fragment" as const),
  id: uint(32),
  offset: fc.oneof(
    fc.constant(0),
    uint(13).map((n) => n * 8),
  ),
  more: fc.boolean(),
});

/** Up to eight extension headers with at most one Fragment header among them. */
export const ipv6: fc.Arbitrary<Ipv6Spec> = fc.record({
  source: ipv6Address,
  destination: ipv6Address,
  trafficClass: uint(8),
  flowLabel: uint(20),
  hopLimit: uint(8),
  extensions: fc
    .tuple(fc.array(plainExtension, { maxLength: 4 }), fc.option(fragment), fc.array(plainExtension, { maxLength: 3 }))
    .map(([before, middle, after]) => [...before, ...(middle ? [middle] : []), ...after]),
});

/** Any packet that can be built, with or without a link layer. */
export const packet: fc.Arbitrary<PacketSpec> = fc
  .tuple(
    fc.option(ethernet),
    fc.oneof(
      ipv4.map((v4) => ({ ipv4: v4 })),
      ipv6.map((v6) => ({ ipv6: v6 })),
    ),
    transport,
  )
  .map(([link, ip, body]) => ({ ...(link ? { ethernet: link } : {}), ...ip, transport: body }));
