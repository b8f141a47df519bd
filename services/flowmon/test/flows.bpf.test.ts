import { buildEthernet, buildPacket, fragmentPacket, type PacketSpec } from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import { NO_CONFIG_FILE } from "../src/config-file.ts";
import { overflowOf, takeOverflow } from "../src/overflow.ts";
import { parseRule } from "../src/rule.ts";
import { echo, ethernet, tcp, udp, udp6 } from "./packets.ts";
import { EPOCH, Rig } from "./rig.ts";

const START_NS = 1_000_000n;
const ipv4 = { source: "10.0.0.1", destination: "10.0.0.2" };
const ipv6 = { source: "2001:db8::1", destination: "2001:db8::2" };
const body = (size: number) =>
  ({ kind: "udp", sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array(size) }) as const;
const raw = (protocol: number, size = 40) => ({ kind: "raw", protocol, payload: new Uint8Array(size) }) as const;
const build = (spec: Partial<PacketSpec>) => buildPacket({ ethernet, transport: body(40), ...spec });
const arp = new Uint8Array([...new Uint8Array(12), 8, 6, ...new Uint8Array(46)]);
/** An IPv4 packet with octets changed. */
function changed(data: Uint8Array, ...pairs: readonly (readonly [number, number])[]): Uint8Array {
  const copy = data.slice();
  for (const [at, value] of pairs) copy[at] = value;
  return copy;
}

describePrivileged("what is counted", () => {
  test.each([
    ["udp 10.0.0.1:1000 > 10.0.0.2:2000", udp(new Uint8Array(40)), 68n, 40n],
    ["udp [2001:db8::1]:1000 > [2001:db8::2]:2000", udp6(new Uint8Array(40)), 88n, 40n],
    ["tcp 10.0.0.1:1000 > 10.0.0.2:2000", tcp(1, 100), 140n, 100n],
    ["icmp 10.0.0.1 > 10.0.0.2 type 8 id 9", echo(9, 1, new Uint8Array(56)), 84n, 56n],
    [
      "icmp 10.0.0.1 > 10.0.0.2 type 3 code 1",
      build({ ipv4, transport: { kind: "icmp", type: 3, code: 1, rest: 77, payload: new Uint8Array(28) } }),
      56n,
      28n,
    ],
    [
      "icmpv6 2001:db8::1 > 2001:db8::2 type 129 id 5",
      build({ ipv6, transport: { kind: "icmp", type: 129, rest: 5 * 65_536 } }),
      48n,
      0n,
    ],
    ["udp 10.0.0.1:1000 > 10.0.0.2:2000 vlan 7", build({ ipv4, ethernet: { vlans: [{ id: 7 }] } }), 68n, 40n],
    [
      "udp [2001:db8::1]:1000 > [2001:db8::2]:2000 vlan 5",
      build({ ipv6, ethernet: { vlans: [{ protocol: 0x88a8, id: 5 }, { id: 8 }] } }),
      88n,
      40n,
    ],
    ["udp 10.0.0.1:1000 > 10.0.0.2:2000", build({ ipv4: { ...ipv4, options: new Uint8Array(12).fill(1) } }), 80n, 40n],
    [
      "udp [2001:db8::1]:1000 > [2001:db8::2]:2000",
      build({ ipv6: { ...ipv6, extensions: [{ kind: "hop-by-hop" }, { kind: "destination-options" }] } }),
      104n,
      40n,
    ],
  ])("%s", (name, data, l3Bytes, payloadBytes) => {
    using rig = new Rig({ egress: true });
    rig.send(data, START_NS);
    rig.send(data, START_NS + 1n, {}, "egress");
    expect([...rig.flows().keys()].toSorted()).toEqual([`egress ${name}`, name].toSorted());
    for (const figures of rig.flows().values()) {
      expect(figures).toMatchObject({ packets: 1n, l3Bytes, payloadBytes, goodputBytes: payloadBytes });
    }
    expect(rig.reasons()).toEqual({});
  });

  test("what is none of it is counted by reason, and never as something else", () => {
    using rig = new Rig();
    const cases: readonly (readonly [string, Uint8Array])[] = [
      ["not_ip", arp],
      ["not_ip", changed(udp(new Uint8Array(40)), [12, 0x88], [13, 0x47])],
      ["unparsable", changed(udp(new Uint8Array(40)), [14, 0x4f], [17, 59])],
      ["unparsable", changed(udp(new Uint8Array(40)), [14, 0x65])],
      ["unparsable", udp(new Uint8Array(40)).slice(0, 60)],
      ["unparsable", build({ ipv4, transport: raw(17, 7) })],
      ["unparsable", build({ ipv4, transport: raw(6, 19) })],
      ["unparsable", changed(tcp(1, 0), [46, 0x40])],
      ["unparsable", changed(tcp(1, 0), [46, 0x60])],
      ["other_protocol", build({ ipv4, transport: raw(47) })],
      ["other_protocol", build({ ipv4, transport: raw(132) })],
      ["other_protocol", build({ ipv4, transport: raw(58) })],
      ["other_protocol", build({ ipv6, transport: raw(1) })],
    ];
    const expected: Record<string, bigint> = {};
    for (const [reason, data] of cases) {
      rig.send(data, START_NS);
      expected[reason] = (expected[reason] ?? 0n) + 1n;
      expect(rig.reasons()).toEqual(expected);
    }
    expect(rig.flows()).toEqual(new Map());
  });

  test("fragments of one datagram are one flow without ports; its payload is the datagram's", () => {
    for (const spec of [{ ipv4 }, { ipv6 }]) {
      using rig = new Rig({ loss: true });
      const whole = buildPacket({ ...spec, transport: body(3000) });
      const type = "ipv4" in spec ? 0x0800 : 0x86dd;
      const parts = fragmentPacket(whole, 1280, 77).map(
        (part) => new Uint8Array([...buildEthernet({}, type), ...part]),
      );
      expect(parts.length).toBeGreaterThan(2);
      for (const part of parts) rig.send(part, START_NS);
      const name = "ipv4" in spec ? "udp 10.0.0.1 > 10.0.0.2" : "udp 2001:db8::1 > 2001:db8::2";
      expect([...rig.flows().keys()]).toEqual([name]);
      expect(rig.only()).toMatchObject({ packets: BigInt(parts.length), payloadBytes: 3000n, sequence: undefined });
    }
  });

  test("a super-packet counts as its segments with their headers, given or worked out", () => {
    using rig = new Rig();
    rig.send(tcp(0, 3500), START_NS, { gso_size: 1448, gso_segs: 3 });
    expect(rig.only()).toMatchObject({ packets: 3n, l3Bytes: 3500n + 3n * 40n, payloadBytes: 3500n });
    rig.send(tcp(3500, 3000), START_NS, { gso_size: 1000, gso_segs: 0 });
    expect(rig.only()).toMatchObject({ packets: 6n, l3Bytes: 6500n + 6n * 40n, goodputBytes: 6500n });
  });

  test("nothing before the first interval", () => {
    using rig = new Rig();
    rig.turn(0, 0n);
    rig.send(udp(new Uint8Array(1)), START_NS);
    expect([rig.flows().size, rig.reasons()]).toEqual([0, { inactive: 1n }]);
  });

  test("what comes from the interface's own addresses, any of them, does not arrive", () => {
    using rig = new Rig({ egress: true, ownAddresses: ["10.0.0.9", "10.0.0.1", "2001:db8::1"] });
    rig.send(udp(new Uint8Array(1)), START_NS);
    rig.send(udp6(new Uint8Array(1)), START_NS);
    rig.send(udp(new Uint8Array(1)), START_NS, {}, "egress");
    rig.send(udp(new Uint8Array(1), { ipv4: { source: "10.0.0.2", destination: "10.0.0.1" } }), START_NS);
    expect(rig.reasons()).toEqual({ own: 2n });
    expect([...rig.flows().keys()].toSorted()).toEqual([
      "egress udp 10.0.0.1:1000 > 10.0.0.2:2000",
      "udp 10.0.0.2:1000 > 10.0.0.1:2000",
    ]);
  });

  test("new rules hold from the next packet on, for flows that are there as well; counts stay", () => {
    using rig = new Rig();
    rig.send(udp(new Uint8Array(1)), START_NS);
    rig.settings({ ...NO_CONFIG_FILE, rules: [parseRule("- - - 22 TCP")] }, { place: 1, rules: 2 });
    rig.send(udp(new Uint8Array(1)), START_NS);
    rig.send(tcp(1, 1, 16, [1, 22]), START_NS);
    rig.settings(NO_CONFIG_FILE, { place: 1, rules: 3 });
    rig.send(udp(new Uint8Array(1)), START_NS);
    expect(rig.reasons()).toEqual({ no_match: 1n });
    expect(rig.flows().get("udp 10.0.0.1:1000 > 10.0.0.2:2000")?.packets).toBe(2n);
    expect(rig.flows().get("tcp 10.0.0.1:1 > 10.0.0.2:22")?.packets).toBe(1n);
  });
});

describePrivileged("the table", () => {
  const from = (port: number, size = 1) =>
    buildPacket({
      ethernet,
      ipv4,
      transport: { kind: "udp", sourcePort: port, destinationPort: 9, payload: new Uint8Array(size) },
    });

  test("10 000 flows at once are exact; what is beyond the table is in the overflow, exactly", () => {
    const [size, count] = [10_000, 12_000];
    using rig = new Rig({ tableSize: size });
    let payload = 0n;
    for (let port = 1; port <= count; port++) {
      rig.send(from(port, port % 50), START_NS);
      payload += BigInt(port % 50);
    }
    for (let port = 1; port <= count; port += 100) {
      rig.send(from(port, 1), START_NS);
      payload += 1n;
    }
    const flows = rig.flows();
    expect(flows.size).toBe(size);
    let inFlows = 0n;
    const wrong: string[] = [];
    for (const [name, { packets, payloadBytes }] of flows) {
      const port = Number(/:(\d+) >/.exec(name)?.[1]);
      const again = port % 100 === 1 ? 1n : 0n;
      if (packets !== 1n + again || payloadBytes !== BigInt(port % 50) + again) wrong.push(name);
      inFlows += payloadBytes;
    }
    expect(wrong).toEqual([]);
    const beyond = rig.overflow()[1];
    const packets = BigInt(count + count / 100) - [...flows.values()].reduce((sum, flow) => sum + flow.packets, 0n);
    expect(beyond).toEqual({ packets, l3_bytes: payload - inFlows + 28n * packets, payload_bytes: payload - inFlows });
  });

  test("numbers of intervals go round; a bank that was never used is not one of interval 0", () => {
    using rig = new Rig();
    const turn = 1n << 40n;
    rig.turn(0xffff, turn);
    rig.send(from(1), turn - 1n);
    expect([rig.flows(0xffff).size, rig.flows(0).size]).toEqual([1, 0]);
    rig.send(from(1), turn);
    expect(rig.only(0)).toMatchObject({ packets: 1n, gaps: { gaps: 1n, sumNs: 1n } });
  });

  test("overflow is of one interval, direction and protocol", () => {
    using rig = new Rig({ egress: true, tableSize: 1 });
    rig.send(from(1), START_NS);
    rig.send(from(2), START_NS);
    rig.send(tcp(1, 10), START_NS, {}, "egress");
    rig.send(echo(1, 1, new Uint8Array(1)), START_NS);
    const packets = (epoch: number) => rig.overflow(epoch).map((sum) => Number(sum.packets));
    expect(packets(1)).toEqual([0, 1, 1, 1, 0, 0]);
    rig.turn(3, 1n << 62n);
    rig.send(from(2), START_NS);
    expect([packets(3), packets(2)]).toEqual([
      [0, 1, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
    ]);
  });

  test("overflow is told once, however often the numbers of intervals go round", () => {
    using rig = new Rig({ tableSize: 1 });
    for (const port of [1, 2, 2]) rig.send(from(port), START_NS);
    const map = rig.object.map("overflow");
    const expected = [
      { interface: "eth0", direction: "ingress", protocol: "UDP", packets: 2n, l3Bytes: 58n, payloadBytes: 2n },
    ];
    expect([overflowOf(map, EPOCH, "eth0"), overflowOf(map, EPOCH, "eth0")]).toEqual([expected, expected]);
    expect(takeOverflow(map, EPOCH, "eth0")).toEqual(expected);
    expect(takeOverflow(map, EPOCH, "eth0")).toEqual([]);
  });

  test("idle flows make room, busy ones stay with all they know", () => {
    using rig = new Rig({ tableSize: 2, loss: true });
    rig.send(from(1), START_NS);
    rig.send(from(2), START_NS + 1000n);
    rig.reap(START_NS);
    expect(rig.raw()).toHaveLength(2);
    rig.reap(START_NS + 1000n);
    expect([...rig.flows().keys()]).toEqual(["udp 10.0.0.1:2 > 10.0.0.2:9"]);
    rig.send(from(3), START_NS + 2000n);
    rig.send(from(1), START_NS + 2000n);
    expect([...rig.flows().keys()].toSorted()).toEqual(["udp 10.0.0.1:2 > 10.0.0.2:9", "udp 10.0.0.1:3 > 10.0.0.2:9"]);
  });
});
