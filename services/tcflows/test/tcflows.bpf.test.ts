import { buildEthernet, buildPacket, type PacketSpec, TCP_FLAG } from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import { kernelRulesOf, parseFlowFilter } from "../src/flow-filter.ts";
import { keyText, Rig } from "./rig.ts";

const ethernet = {};
const ipv4 = { source: "10.0.0.1", destination: "10.0.0.2" };
const udp = { kind: "udp", sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array(40) } as const;
const tcp = { kind: "tcp", sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array(40) } as const;
const v4 = (rest: Partial<PacketSpec> = {}) => buildPacket({ ethernet, ipv4, transport: udp, ...rest });
const sums = (packets: number, l3Bytes: number, l2Bytes: number) => ({
  packets: BigInt(packets),
  l3_bytes: BigInt(l3Bytes),
  l2_bytes: BigInt(l2Bytes),
});

/** Flow and counts of everything that a rig holds. */
function flows(rig: Rig): readonly (readonly [string, object])[] {
  return rig.take().map(([key, { packets, l3_bytes, l2_bytes }]) => [keyText(key), { packets, l3_bytes, l2_bytes }]);
}

describePrivileged("the packet programs", () => {
  test("a super-packet counts as its segments, each with its headers", () => {
    using rig = new Rig();
    const data = v4({ transport: { ...tcp, payload: new Uint8Array(3500) } });
    // 1448, 1448 and 604 octets, each behind 20 + 20 octets of IP and TCP and 14 of Ethernet
    rig.run(data, "egress", { gso_segs: 3, gso_size: 1448 });
    rig.run(data, "egress", { gso_segs: 0, gso_size: 1448 });
    expect(flows(rig)).toEqual([
      ["egress vlan 0 ip 6 10.0.0.1 1000 > 10.0.0.2 2000 icmp 0 0 0", sums(6, 2 * 3620, 2 * 3662)],
    ]);
  });

  test("a super-packet with a tag carries it in every segment", () => {
    using rig = new Rig();
    const tagged = v4({ ethernet: { vlans: [{ id: 7 }] }, transport: { ...udp, payload: new Uint8Array(2000) } });
    rig.run(tagged, "ingress", { gso_segs: 2, gso_size: 1000 });
    expect(flows(rig)).toEqual([
      ["ingress vlan 7 ip 17 10.0.0.1 1000 > 10.0.0.2 2000 icmp 0 0 0", sums(2, 2056, 2092)],
    ]);
  });

  test("fragments have no ports, the first has none either", () => {
    using rig = new Rig();
    const body = new Uint8Array([0x03, 0xe8, 0x07, 0xd0, 0, 40, 0, 0, ...new Uint8Array(32)]);
    const raw = { kind: "raw", protocol: 17, payload: body } as const;
    rig.run(v4({ ipv4: { ...ipv4, moreFragments: true }, transport: raw }));
    rig.run(v4({ ipv4: { ...ipv4, fragmentOffset: 40 }, transport: raw }));
    expect(flows(rig)).toEqual([["egress vlan 0 ip 17 10.0.0.1 0 > 10.0.0.2 0 icmp 0 0 0", sums(2, 120, 148)]]);
  });

  test("ports are not those of an earlier packet, and options are not ports", () => {
    using rig = new Rig();
    rig.run(v4());
    rig.run(v4({ transport: { kind: "icmp", type: 8, rest: 0x1234_0001 } }));
    rig.run(v4({ ipv4: { ...ipv4, options: new Uint8Array([0x94, 4, 0, 0]) } }));
    const arp = new Uint8Array([...buildEthernet({}, 0x0806), ...new Uint8Array(46)]);
    rig.run(arp);
    expect(new Map(flows(rig))).toEqual(
      new Map([
        ["egress vlan 0 ip 17 10.0.0.1 1000 > 10.0.0.2 2000 icmp 0 0 0", sums(2, 68 + 72, 82 + 86)],
        ["egress vlan 0 ip 1 10.0.0.1 0 > 10.0.0.2 0 icmp 8 0 4660", sums(1, 28, 42)],
        ["egress vlan 0 type 2054", sums(1, 46, 60)],
      ]),
    );
  });

  test("TCP flags add up, AE included; times are those of the first and the last packet", () => {
    using rig = new Rig();
    rig.run(v4({ transport: { ...tcp, flags: TCP_FLAG.syn } }));
    rig.run(v4({ transport: { ...tcp, flags: TCP_FLAG.ack | TCP_FLAG.psh } }));
    const withAe = v4({ transport: { ...tcp, flags: TCP_FLAG.ack } });
    withAe[46] = (withAe[46] ?? 0) | 1;
    rig.run(withAe);
    const [[, count] = []] = rig.take();
    expect(count?.tcp_flags).toBe(0x100 | TCP_FLAG.syn | TCP_FLAG.ack | TCP_FLAG.psh);
    expect(count?.last_ns).toBeGreaterThan(count?.first_ns ?? 2n ** 64n);
  });

  test("padding of a short frame is in its frame bytes and not in its packet's", () => {
    using rig = new Rig();
    const short = v4({ transport: { ...udp, payload: new Uint8Array(2) } });
    rig.run(new Uint8Array([...short, ...new Uint8Array(60 - short.length)]));
    expect(flows(rig)[0]?.[1]).toEqual(sums(1, 30, 60));
  });

  test("without a link header there are no MACs, and a frame is its packet", () => {
    using rig = new Rig({ l2Length: 0 });
    // A test run always begins with 14 octets of Ethernet; what it shows of a bare packet is the kernel's own.
    rig.run(v4());
    const [[key, count] = []] = rig.take();
    expect(count?.macs).toEqual(new Uint8Array(12));
    expect(key?.vlan_id).toBe(0);
  });

  test("a full table: the rest is counted by direction and protocol, and every sum is exact", () => {
    using rig = new Rig({ tableSize: 3 });
    const sent = { packets: 0, l3: 0, l2: 0 };
    for (let i = 0; i < 40; i++) {
      const transport = i % 4 === 3 ? { ...tcp, sourcePort: i + 1 } : { ...udp, sourcePort: i + 1 };
      const data =
        i % 10 === 9 ? new Uint8Array([...buildEthernet({}, 0x0806), ...new Uint8Array(46)]) : v4({ transport });
      rig.run(data, i % 2 ? "ingress" : "egress");
      sent.packets++;
      sent.l2 += data.length;
      sent.l3 += data.length - 14;
    }
    const overflow = rig.overflow();
    const table = rig.take();
    expect(table).toHaveLength(3);
    expect(Object.keys(overflow).toSorted()).toEqual(["egress 17", "ingress 17", "ingress 256", "ingress 6"]);
    const all = [...table.map(([, count]) => count), ...Object.values(overflow)];
    const total = (of: (sum: (typeof all)[number]) => bigint) => Number(all.reduce((sum, one) => sum + of(one), 0n));
    expect([total((s) => s.packets), total((s) => s.l3_bytes), total((s) => s.l2_bytes)]).toEqual([
      sent.packets,
      sent.l3,
      sent.l2,
    ]);
  });

  test("what no filter wants is one sum a direction", () => {
    const filters = ["proto=udp,dport=2000,dst=10.0.0.0/24", "ethertype=0x0806"].map(parseFlowFilter);
    using rig = new Rig({ rules: kernelRulesOf(filters) });
    rig.run(v4());
    rig.run(new Uint8Array([...buildEthernet({}, 0x0806), ...new Uint8Array(46)]));
    rig.run(v4({ transport: { ...udp, destinationPort: 2001 } }));
    rig.run(v4({ transport: tcp }), "ingress");
    rig.run(v4({ ipv4: { ...ipv4, destination: "10.0.1.2" } }), "ingress");
    expect(flows(rig)).toHaveLength(2);
    expect(rig.filtered()).toEqual([sums(2, 80 + 68, 94 + 82), sums(1, 68, 82)]);
  });
});
