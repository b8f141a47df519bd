import fc from "fast-check";
import { packet, tcpOptions } from "../test/arbitraries.ts";
import {
  buildPacket,
  buildTcpOptions,
  formatAddress,
  fragmentPacket,
  internetChecksum,
  type PacketSpec,
  parsePacket,
  parseTcp,
  parseTcpOptions,
  readPcap,
  transportChecksum,
  updateChecksum,
  writePcap,
} from "./index.ts";

const linkOf = (spec: PacketSpec) => ({ link: spec.ethernet ? ("ethernet" as const) : ("raw" as const) });

/** What a parser should find, said from the specification alone. */
function expected(spec: PacketSpec) {
  const { ipv4, ipv6, transport } = spec;
  const ip = (ipv4 ?? ipv6)!;
  const fragments = ipv6?.extensions?.filter((header) => header.kind === "fragment") ?? [];
  const offset = ipv4?.fragmentOffset ?? fragments[0]?.offset ?? 0;
  const more = ipv4?.moreFragments ?? fragments[0]?.more ?? false;
  const kind = offset > 0 ? "later" : more ? "first" : "none";
  const ported = transport.kind === "udp" || transport.kind === "tcp";
  return {
    family: ipv4 ? 4 : 6,
    source: ip.source,
    destination: ip.destination,
    fragment: kind,
    fragmentOffset: offset,
    trafficClass: ipv4?.tos ?? ipv6?.trafficClass,
    flowLabel: ipv6?.flowLabel ?? 0,
    hops: ipv4?.ttl ?? ipv6?.hopLimit,
    vlans: spec.ethernet?.vlans ?? [],
    l2Length: spec.ethernet ? 14 + 4 * (spec.ethernet.vlans?.length ?? 0) : 0,
    ...(ported && kind === "none"
      ? { ports: { source: transport.sourcePort, destination: transport.destinationPort } }
      : {}),
    ...(kind === "none" ? {} : { ports: undefined }),
  };
}

test("what was built is what is parsed", () => {
  fc.assert(
    fc.property(packet, (spec) => {
      const bytes = buildPacket(spec);
      const parsed = parsePacket(bytes, linkOf(spec));
      if (!parsed.ok) throw new Error(parsed.reason);
      const { source, destination, ...rest } = parsed;
      expect({ ...rest, source: formatAddress(source), destination: formatAddress(destination) }).toMatchObject(
        expected(spec),
      );
      expect(parsed.l2Length + parsed.l3Length).toBe(bytes.length);
      expect(parsed.l4Offset).toBe(parsed.l2Length + parsed.l3HeaderLength);
      if (spec.transport.kind === "tcp" && parsed.fragment !== "later" && parsed.protocol === 6) {
        const { kind: _, payload: __, ...fields } = spec.transport;
        expect(parseTcp(bytes, parsed.l4Offset)).toMatchObject(fields);
      }
    }),
    { numRuns: 2000 },
  );
});

test("trailing padding changes nothing, one octet less makes it unparsable", () => {
  fc.assert(
    fc.property(packet, fc.integer({ min: 1, max: 64 }), (spec, more) => {
      const bytes = buildPacket(spec);
      const padded = new Uint8Array(bytes.length + more).fill(0xee);
      padded.set(bytes);
      expect(parsePacket(padded, linkOf(spec))).toEqual(parsePacket(bytes, linkOf(spec)));
      expect(parsePacket(bytes.subarray(0, -1), linkOf(spec))).toEqual({ ok: false, reason: "unparsable" });
    }),
  );
});

test("any octets, and any cut or corrupted packet, are answered without an error and within bounds", () => {
  const corrupted = fc
    .tuple(packet, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat())
    .map(([spec, changes, cut]) => {
      const bytes = buildPacket(spec);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes.subarray(0, bytes.length - (cut % 3 === 0 ? cut % bytes.length : 0));
    });
  const link = fc.constantFrom(
    { link: "ethernet" as const },
    { link: "raw" as const },
    { link: "raw" as const, protocol: 0x86dd },
  );
  fc.assert(
    fc.property(fc.oneof(corrupted, fc.uint8Array({ maxLength: 128 })), link, (bytes, layer) => {
      const parsed = parsePacket(bytes, layer);
      if (!parsed.ok) return expect(["not_ip", "unparsable"]).toContain(parsed.reason);
      const end = parsed.l2Length + parsed.l3Length;
      expect(end).toBeLessThanOrEqual(bytes.length);
      expect(parsed.l4Offset).toBeLessThanOrEqual(end);
      parseTcp(bytes, parsed.l4Offset, end);
      // nothing behind the packet is read
      expect(parsePacket(bytes.slice(0, end), layer)).toEqual(parsed);
    }),
    { numRuns: 5000 },
  );
});

test("nine extension headers are refused, eight are not", () => {
  const spec = (count: number): PacketSpec => ({
    ipv6: {
      source: "2001:db8::1",
      destination: "2001:db8::2",
      extensions: Array.from({ length: count }, () => ({ kind: "destination-options" as const })),
    },
    transport: { kind: "udp", sourcePort: 1, destinationPort: 2 },
  });
  expect(parsePacket(buildPacket(spec(8)), { link: "raw" })).toMatchObject({
    ok: true,
    extensionHeaders: 8,
    protocol: 17,
  });
  expect(parsePacket(buildPacket(spec(9)), { link: "raw" })).toEqual({ ok: false, reason: "unparsable" });
});

test("a third tag, ARP and a stated EtherType", () => {
  const spec: PacketSpec = {
    ethernet: { vlans: [{ protocol: 0x88a8, id: 5 }, { id: 6 }, { id: 7 }] },
    ipv4: { source: "192.0.2.1", destination: "192.0.2.2" },
    transport: { kind: "udp", sourcePort: 1, destinationPort: 2 },
  };
  expect(parsePacket(buildPacket(spec))).toEqual({ ok: false, reason: "not_ip" });
  const { ethernet: _, ...raw } = spec;
  const l3 = buildPacket(raw);
  expect(parsePacket(l3, { link: "raw", protocol: 0x0806 })).toEqual({ ok: false, reason: "not_ip" });
  expect(parsePacket(l3, { link: "raw", protocol: 0x86dd })).toEqual({ ok: false, reason: "unparsable" });
  expect(parsePacket(l3, { link: "raw", protocol: 0x0800 })).toMatchObject({ ok: true, ports: { source: 1 } });
});

test("RFC 6946: an atomic fragment is a whole packet with ports", () => {
  const bytes = buildPacket({
    ipv6: {
      source: "2001:db8::1",
      destination: "2001:db8::2",
      extensions: [{ kind: "fragment", id: 7, offset: 0, more: false }],
    },
    transport: { kind: "udp", sourcePort: 53, destinationPort: 4000 },
  });
  expect(parsePacket(bytes, { link: "raw" })).toMatchObject({ fragment: "none", fragmentId: 7, ports: { source: 53 } });
});

test("TCP options survive; impossible lengths are told", () => {
  fc.assert(fc.property(tcpOptions, (options) => expect(parseTcpOptions(buildTcpOptions(options))).toEqual(options)));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void parseTcpOptions(bytes)));
  expect(parseTcpOptions(Uint8Array.of(8, 10, 0))).toBeUndefined();
  expect(parseTcpOptions(Uint8Array.of(8, 1))).toBeUndefined();
  expect(parseTcpOptions(Uint8Array.of(8))).toBeUndefined();
});

test("RFC 1071's example, and a checksum that follows a change as if computed anew (RFC 1624)", () => {
  expect(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(~0xddf2 & 0xffff);
  // RFC 1624 section 4: the case in which eqn. 2 goes wrong
  expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  const header = fc.uint8Array({ minLength: 20, maxLength: 60 }).filter((bytes) => bytes.some((octet) => octet !== 0));
  fc.assert(
    fc.property(header, fc.nat(9), fc.integer({ min: 0, max: 0xffff }), (bytes, word, value) => {
      const at = 2 * word;
      const old = (bytes[at]! << 8) | bytes[at + 1]!;
      const before = internetChecksum(bytes);
      bytes.set([value >> 8, value & 0xff], at);
      if (bytes.every((octet) => octet === 0)) return;
      // both representations of zero are valid over the same words
      expect(updateChecksum(before, old, value) % 0xffff).toBe(internetChecksum(bytes) % 0xffff);
    }),
  );
});

test("fragments hold the whole payload once, are no longer than the MTU and have no ports", () => {
  const whole = fc.record({
    length: fc.integer({ min: 100, max: 4000 }),
    mtu: fc.integer({ min: 68, max: 1500 }),
    v6: fc.boolean(),
  });
  fc.assert(
    fc.property(whole, ({ length, mtu, v6 }) => {
      const ends = v6
        ? { ipv6: { source: "2001:db8::1", destination: "2001:db8::2" } }
        : { ipv4: { source: "192.0.2.1", destination: "192.0.2.2" } };
      const payload = Uint8Array.from({ length }, (_, i) => i);
      const packetBytes = buildPacket({
        ...ends,
        transport: { kind: "udp", sourcePort: 1, destinationPort: 2, payload },
      });
      const fragments = fragmentPacket(packetBytes, mtu, 99);
      if (packetBytes.length <= mtu) return expect(fragments).toEqual([packetBytes]);
      const pieces = fragments.map((bytes) => {
        const parsed = parsePacket(bytes, { link: "raw" });
        if (!parsed.ok) throw new Error(parsed.reason);
        expect(bytes.length).toBeLessThanOrEqual(mtu);
        expect(parsed).toMatchObject({ ports: undefined, fragmentId: 99, protocol: 17 });
        if (!v6) expect(internetChecksum(bytes.subarray(0, parsed.l3HeaderLength))).toBe(0);
        return [...bytes.subarray(parsed.l4Offset)];
      });
      const first = parsePacket(packetBytes, { link: "raw" });
      if (!first.ok) throw new Error(first.reason);
      const segment = Uint8Array.from(pieces.flat());
      expect(segment).toEqual(packetBytes.subarray(first.l4Offset));
      expect(transportChecksum(first.source, first.destination, 17, segment)).toBe(0);
    }),
  );
});

test("misuse is told", () => {
  const transport = { kind: "udp", sourcePort: 1, destinationPort: 2 } as const;
  const ipv4 = { source: "192.0.2.1", destination: "192.0.2.2" };
  expect(() => buildPacket({ transport })).toThrow(/either IPv4 or IPv6/);
  expect(() => buildPacket({ ipv4: { ...ipv4, source: "::1" }, transport })).toThrow(/no IPv4 address/);
  expect(() => buildPacket({ ipv4, transport: { ...transport, sourcePort: 65_536 } })).toThrow(/does not fit/);
  expect(() => buildPacket({ ipv4: { ...ipv4, fragmentOffset: 4 }, transport })).toThrow(/8n/);
  expect(() => buildPacket({ ethernet: { source: "1" }, ipv4, transport })).toThrow(/no MAC/);
  expect(() => fragmentPacket(new Uint8Array(3), 100, 1)).toThrow(/not a whole packet/);
});

test("a capture file is read back", () => {
  const records = [
    { bytes: Uint8Array.of(1, 2, 3), timeNs: 1_700_000_000_123_456_789n, originalLength: 9 },
    { bytes: new Uint8Array(0), timeNs: 0n, originalLength: 0 },
  ];
  expect(readPcap(writePcap(records, 1))).toEqual({ link: 1, records });
  expect(readPcap(new Uint8Array(23))).toBeUndefined();
  expect(readPcap(new Uint8Array(24))).toBeUndefined();
});
