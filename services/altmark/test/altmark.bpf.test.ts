import { buildPacket, internetChecksum, type PacketSpec, parseAddress, parsePacket } from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import { parseFlowRule } from "../src/flow-rule.ts";
import { INTERVAL_NS, Rig } from "./rig.ts";

const ethernet = {};
const ipv4 = { source: "10.0.0.1", destination: "10.0.0.2" };
const ipv6 = { source: "2001:db8::1", destination: "2001:db8::2" };
const udp = { kind: "udp", sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array(40) } as const;
const tcp = { kind: "tcp", sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array(40) } as const;
const v4 = (more: Partial<Extract<PacketSpec["ipv4"], object>> = {}, rest: Partial<PacketSpec> = {}) =>
  buildPacket({ ethernet, ipv4: { ...ipv4, ...more }, transport: udp, ...rest });
const v6 = (more: Partial<Extract<PacketSpec["ipv6"], object>> = {}, rest: Partial<PacketSpec> = {}) =>
  buildPacket({ ethernet, ipv6: { ...ipv6, ...more }, transport: udp, ...rest });
const tosOf = (data: Uint8Array) => {
  const parsed = parsePacket(data, { link: "ethernet" });
  return parsed.ok ? parsed.trafficClass : undefined;
};
/** `data` with octet `at` set, and more pairs of the kind. */
function withOctet(data: Uint8Array, ...pairs: readonly number[]): Uint8Array {
  const copy = data.slice();
  for (let i = 0; i + 1 < pairs.length; i += 2) copy[pairs[i] ?? 0] = pairs[i + 1] ?? 0;
  return copy;
}
const NOTHING = { packets: 0n, l3_bytes: 0n, fragments: 0n, out_of_guard: 0n };

describePrivileged("altmark_source", () => {
  test.each([
    ["IPv4", v4(), 68n],
    ["IPv4 with options", v4({ options: new Uint8Array([1, 1, 1, 0]) }), 72n],
    ["IPv6", v6(), 88n],
    ["VLAN", v4({}, { ethernet: { vlans: [{ id: 7 }] } }), 68n],
    ["QinQ", v6({}, { ethernet: { vlans: [{ protocol: 0x88a8, id: 7 }, { id: 8 }] } }), 88n],
    [
      "a protocol without ports",
      v4({}, { transport: { kind: "raw", protocol: 47, payload: new Uint8Array(20) } }),
      40n,
    ],
  ])("marks and counts %s; nothing but TOS and header checksum changes", (_name, data, l3Bytes) => {
    using rig = new Rig();
    for (const [block, mark] of [
      [10n, 0x08],
      [11n, 0x0c],
    ] as const) {
      rig.at(block);
      const out = rig.run("altmark_source", data);
      expect(tosOf(out)).toBe(mark);
      expect(rig.count(block)).toEqual({ ...NOTHING, packets: 1n, l3_bytes: l3Bytes });
      expectOnlyTosChanged(data, out);
    }
    expect(rig.reasons()).toEqual({});
  });

  test.each([0x01, 0x02, 0x03])("keeps the ECN bits %i", (ecn) => {
    using rig = new Rig();
    rig.at(11n);
    expect(tosOf(rig.run("altmark_source", v4({ tos: ecn })))).toBe(0x0c | ecn);
    expect(tosOf(rig.run("altmark_source", v6({ trafficClass: ecn })))).toBe(0x0c | ecn);
  });

  test.each([
    ["ALTMARK_DSCP_IN_USE", "EF", v4({ tos: 0xb8 })],
    ["ALTMARK_DSCP_IN_USE", "somebody's mark", v6({ trafficClass: 0x0c })],
    ["ALTMARK_LOCAL_SCOPE", "multicast", v4({ destination: "239.1.2.3" })],
    ["ALTMARK_LOCAL_SCOPE", "broadcast", v4({ destination: "255.255.255.255" })],
    [
      "ALTMARK_LOCAL_SCOPE",
      "a subnet's broadcast",
      v4({ destination: "10.0.0.255" }, { ethernet: { destination: "ff:ff:ff:ff:ff:ff" } }),
    ],
    ["ALTMARK_LOCAL_SCOPE", "link-local", v4({ destination: "169.254.1.1" })],
    ["ALTMARK_LOCAL_SCOPE", "unspecified source", v4({ source: "0.0.0.0" })],
    ["ALTMARK_LOCAL_SCOPE", "TTL 1", v4({ ttl: 1 })],
    ["ALTMARK_LOCAL_SCOPE", "IGMP", v4({}, { transport: { kind: "igmp", type: 0x16 } })],
    ["ALTMARK_LOCAL_SCOPE", "IPv6 multicast", v6({ destination: "ff0e::1" })],
    ["ALTMARK_LOCAL_SCOPE", "IPv6 link-local", v6({ source: "fe80::1" })],
    ["ALTMARK_LOCAL_SCOPE", "hop limit 1", v6({ hopLimit: 1 })],
    ["ALTMARK_LOCAL_SCOPE", "neighbour solicitation", v6({}, { transport: { kind: "icmp", type: 135 } })],
    [
      "ALTMARK_LOCAL_SCOPE",
      "MLDv2 report behind a hop-by-hop header",
      v6({ extensions: [{ kind: "hop-by-hop" }] }, { transport: { kind: "icmp", type: 143 } }),
    ],
    ["ALTMARK_NOT_IP", "ARP", new Uint8Array([...new Uint8Array(12), 8, 6, ...new Uint8Array(46)])],
    ["ALTMARK_UNPARSABLE", "a header longer than its packet", withOctet(v4(), 14, 0x4f, 17, 59)],
    ["ALTMARK_UNPARSABLE", "a version that is not the EtherType's", withOctet(v4(), 14, 0x65)],
    ["ALTMARK_UNPARSABLE", "a length beyond the packet", v4().slice(0, 60)],
  ] as const)("%s: %s passes as it was", (reason, _name, data) => {
    using rig = new Rig();
    rig.at(10n);
    expect(rig.run("altmark_source", data)).toEqual(data);
    expect(rig.reasons()).toEqual({ [reason]: 1n });
    expect(rig.count(10n)).toEqual(NOTHING);
  });

  test("ICMPv6 echo is measured", () => {
    using rig = new Rig();
    rig.at(10n);
    rig.run("altmark_source", v6({}, { transport: { kind: "icmp", type: 128 } }));
    expect(rig.count(10n)?.packets).toBe(1n);
  });

  test("its own reports are left out, other TCP to the same host is not", () => {
    using rig = new Rig();
    rig.at(10n);
    const nobody = { address: new Uint8Array(16), port: 0 };
    const own = [
      { address: parseAddress("10.0.0.2") ?? new Uint8Array(16), port: 2000 },
      { address: parseAddress("2001:db8::2") ?? new Uint8Array(16), port: 2000 },
    ];
    rig.object.map("own_reports").set(0, {
      count: 2n,
      endpoints: Array.from({ length: 8 }, (_, i) => own[i] ?? nobody),
    });
    rig.run("altmark_source", v4({}, { transport: tcp }));
    rig.run("altmark_source", v6({}, { transport: tcp }));
    expect(rig.reasons()).toEqual({ ALTMARK_OWN_REPORT: 2n });
    rig.run("altmark_source", v4({}, { transport: { ...tcp, destinationPort: 2001 } }));
    rig.run("altmark_source", v4());
    expect(rig.count(10n)?.packets).toBe(2n);
  });

  test("fragments are counted like packets, and as fragments", () => {
    using rig = new Rig();
    rig.at(10n);
    rig.run("altmark_source", v4({ moreFragments: true }));
    rig.run("altmark_source", v4({ fragmentOffset: 800 }));
    rig.run("altmark_source", v6({ extensions: [{ kind: "fragment", offset: 0, more: true, id: 1 }] }));
    expect(rig.count(10n)).toMatchObject({ packets: 3n, fragments: 3n });
  });

  test("a super-packet counts as its segments, with their headers", () => {
    using rig = new Rig();
    rig.at(10n);
    const payload = new Uint8Array(3500);
    const data = v4({}, { transport: { ...tcp, payload } });
    rig.run("altmark_source", data, { gso_segs: 3, gso_size: 1448 });
    // three segments of 1448, 1448 and 604 octets, each with 40 octets of headers
    expect(rig.count(10n)).toMatchObject({ packets: 3n, l3_bytes: 3500n + 3n * 40n });
    rig.run("altmark_source", v6({}, { transport: { ...udp, payload } }), { gso_segs: 0, gso_size: 1000 });
    expect(rig.count(10n)).toMatchObject({ packets: 3n + 4n, l3_bytes: 3620n + 3500n + 4n * 48n });
  });

  test("the lease: without a sign of life packets pass untouched", () => {
    using rig = new Rig({ leased: true });
    rig.at(10n, 0.1, { leaseNs: 1n });
    expect(rig.run("altmark_source", v4())).toEqual(v4());
    expect(rig.reasons()).toEqual({ ALTMARK_LEASE_EXPIRED: 1n });
    rig.at(10n);
    expect(tosOf(rig.run("altmark_source", v4()))).toBe(0x08);
  });

  test("before the start and after a step back nothing is open; starting anew opens it", () => {
    using rig = new Rig();
    rig.run("altmark_source", v4());
    rig.at(10n);
    rig.at(8n);
    expect(rig.run("altmark_source", v4())).toEqual(v4());
    expect(rig.reasons()).toEqual({ ALTMARK_INACTIVE: 2n });
    rig.at(8n, 0.1, { forget: true });
    rig.run("altmark_source", v4());
    expect(rig.count(8n)?.packets).toBe(1n);
  });

  test("after a step that user space has not dealt with no block is open", () => {
    using rig = new Rig();
    rig.at(10n);
    rig.at(10n, 0.2, { steppedNs: 5_000_000n });
    expect(rig.run("altmark_source", v4())).toEqual(v4());
    expect(rig.reasons()).toEqual({ ALTMARK_INACTIVE: 1n });
    rig.at(10n, 0.2);
    rig.run("altmark_source", v4());
    expect(rig.count(10n)?.packets).toBe(1n);
  });

  test("a block whose slot was not read yet is not counted over it", () => {
    using rig = new Rig({ slots: 8 });
    rig.at(10n);
    rig.run("altmark_source", v4());
    rig.at(18n);
    expect(rig.run("altmark_source", v4())).toEqual(v4());
    expect(rig.reasons()).toEqual({ ALTMARK_SLOT_BUSY: 1n });
    expect(rig.count(10n)?.packets).toBe(1n);
  });
});

describePrivileged("altmark_sink", () => {
  test("clears exactly our two marks and keeps ECN; everything else passes as it was", () => {
    using rig = new Rig({ isSink: true });
    rig.at(10n);
    for (let tos = 0; tos < 256; tos++) {
      const ours = (tos & 0xfc) === 0x08 || (tos & 0xfc) === 0x0c;
      expect(tosOf(rig.run("altmark_sink", v4({ tos })))).toBe(ours ? tos & 3 : tos);
      expect(tosOf(rig.run("altmark_sink", v6({ trafficClass: tos })))).toBe(ours ? tos & 3 : tos);
    }
    expect(rig.reasons()).toEqual({ ALTMARK_UNMARKED: BigInt(2 * (256 - 8)) });
  });

  test("what the source marked is afterwards what it was, octet for octet", () => {
    using rig = new Rig();
    rig.at(11n);
    for (const data of [
      v4(),
      v4({ tos: 2 }),
      v6(),
      v6({ trafficClass: 1 }),
      v4({}, { ethernet: { vlans: [{ id: 7 }] } }),
    ]) {
      expect(rig.run("altmark_sink", rig.run("altmark_source", data))).toEqual(data);
    }
  });

  test("keep-marks counts without clearing", () => {
    using rig = new Rig({ isSink: true, keepMarks: true });
    rig.at(10n);
    expect(tosOf(rig.run("altmark_sink", v4({ tos: 0x08 })))).toBe(0x08);
    expect(rig.count(10n)?.packets).toBe(1n);
  });

  test.each([
    [0.1, 0x08, 10n, 0n],
    [0.1, 0x0c, 9n, 0n],
    [0.4, 0x0c, 9n, 1n],
    [0.4, 0x08, 10n, 0n],
    [0.6, 0x0c, 11n, 1n],
    [0.6, 0x08, 10n, 0n],
    [0.9, 0x0c, 11n, 0n],
    [0.9, 0x08, 10n, 0n],
  ])("%f into block 10, mark %i belongs to block %i, out of the guard band: %i", (fraction, tos, block, outOfGuard) => {
    using rig = new Rig({ isSink: true });
    rig.at(10n, fraction);
    rig.run("altmark_sink", v4({ tos }));
    expect(rig.count(block)).toMatchObject({ packets: 1n, out_of_guard: outOfGuard });
  });

  test("after a jump of the clock nothing is counted into a slot that belongs to no block", () => {
    using rig = new Rig({ isSink: true, slots: 8 });
    rig.at(100n);
    rig.at(105n);
    rig.run("altmark_sink", v4({ tos: 0x08 }));
    expect(rig.count(104n)?.packets).toBe(1n);
    const owners = new Map(rig.object.map("slots").entries());
    expect(owners.get(104 % 8)).toBe(105n);
  });

  test("marked fragments of no rule are reported beside the block's flows", () => {
    using rig = new Rig({ isSink: true, rules: [parseFlowRule("dns=proto=udp,dport=2000", ["default"])] });
    rig.at(10n);
    expect(tosOf(rig.run("altmark_sink", v4({ tos: 0x08, moreFragments: true })))).toBe(0);
    rig.run("altmark_sink", v4({ tos: 0x08 }));
    expect(rig.count(10n, 0)).toMatchObject({ packets: 1n, fragments: 0n });
    expect(rig.count(10n, 1)).toMatchObject({ packets: 1n, fragments: 1n });
    expect(rig.reasons()).toEqual({ ALTMARK_UNMATCHED: 1n });
  });

  test("a marked packet of no rule is cleaned all the same", () => {
    using rig = new Rig({ isSink: true, rules: [parseFlowRule("web=proto=tcp,dport=80", ["default"])] });
    rig.at(10n);
    expect(tosOf(rig.run("altmark_sink", v4({ tos: 0x08 })))).toBe(0);
    expect(rig.reasons()).toEqual({ ALTMARK_UNMATCHED: 1n });
  });

  test("while no block is open marks are cleaned, and counted as missed", () => {
    using rig = new Rig({ isSink: true });
    expect(tosOf(rig.run("altmark_sink", v4({ tos: 0x08 })))).toBe(0);
    expect(rig.reasons()).toEqual({ ALTMARK_INACTIVE: 1n });
  });
});

describePrivileged("flows", () => {
  test("the first rule that matches counts; fragments have no ports", () => {
    const rules = ["a=dst=10.0.0.0/24,proto=udp,dport=2000", "b=dst=10.0.0.0/16", "c=src=2001:db8::/32"];
    using rig = new Rig({ rules: rules.map((rule) => parseFlowRule(rule, ["default"])) });
    rig.at(10n);
    rig.run("altmark_source", v4());
    rig.run("altmark_source", v4({ moreFragments: true }));
    rig.run("altmark_source", v4({}, { transport: tcp }));
    rig.run("altmark_source", v6());
    rig.run("altmark_source", v4({ destination: "192.0.2.1" }));
    expect([0, 1, 2].map((rule) => rig.count(10n, rule)?.packets)).toEqual([1n, 2n, 1n]);
    expect(rig.reasons()).toEqual({ ALTMARK_NO_MATCH: 1n });
  });

  test("a full flow table counts the rest in the rule's own counter: nothing is lost", () => {
    using rig = new Rig({ perFlow: true, tableSize: 4 });
    rig.at(10n);
    for (let port = 1; port <= 10; port++) {
      for (let n = 0; n < port; n++) rig.run("altmark_source", v4({}, { transport: { ...udp, sourcePort: port } }));
    }
    const told = rig.flows(10n);
    expect(told.length).toBe(4);
    for (const [key, count] of told) expect(count.packets).toBe(BigInt(key.source_port));
    const sum = told.reduce((total, [, count]) => total + count.packets, 0n);
    expect(sum + (rig.count(10n)?.packets ?? 0n)).toBe(55n);
  });
});

test("a test's block does not end while it runs", () => {
  expect(INTERVAL_NS).toBe(86_400_000_000_000n);
});

/** TOS or Traffic Class and the IPv4 header checksum, which is right; nothing else. */
function expectOnlyTosChanged(before: Uint8Array, after: Uint8Array): void {
  const parsed = parsePacket(after, { link: "ethernet" });
  if (!parsed.ok) throw new Error(parsed.reason);
  const copy = after.slice();
  const at = parsed.l2Length;
  if (parsed.family === 4) {
    expect(internetChecksum(after.subarray(at, at + ((after[at] ?? 0) & 15) * 4))).toBe(0);
    copy.set(before.subarray(at + 10, at + 12), at + 10);
    copy.set(before.subarray(at + 1, at + 2), at + 1);
  } else {
    copy.set(before.subarray(at, at + 2), at);
  }
  expect(copy).toEqual(before);
}

describePrivileged("samples", () => {
  const sampled = (rig: Rig) =>
    [...rig.object.map("samples").entries()].filter(([, { destination }]) => destination[10]);

  test("one destination after each turn of the clock, none with rules", () => {
    using rig = new Rig();
    for (const [block, to] of [
      [10n, "10.0.0.2"],
      [11n, "10.0.0.3"],
    ] as const) {
      rig.at(block);
      for (let n = 0; n < 5; n++) rig.run("altmark_source", v4({ destination: to }));
    }
    expect(sampled(rig).map(([, { destination }]) => [...destination.slice(12)])).toEqual([
      [10, 0, 0, 2],
      [10, 0, 0, 3],
    ]);
    using ruled = new Rig({ rules: [parseFlowRule("all=", ["default"])] });
    ruled.at(10n);
    ruled.run("altmark_source", v4());
    expect(sampled(ruled)).toEqual([]);
  });
});
