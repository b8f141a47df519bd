import { buildPacket, fragmentPacket } from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import { measurementOf } from "../src/config.ts";
import { PrefixAggregator } from "../src/prefix-aggregator.ts";
import { totalOf } from "../src/prefix-summary.ts";
import { ALL, closeRigs, dns, echo, IPV4, IPV6, NONE, packet, quic, Rig, tcp } from "./rig.ts";

const [OUT, IN] = [true, false];
const udp = { kind: "udp", sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array(40) } as const;

afterAll(closeRigs);

describePrivileged("what is not measured", () => {
  const arp = new Uint8Array([...new Uint8Array(12), 8, 6, ...new Uint8Array(46)]);
  const short = (bytes: number) => tcp(IPV4, OUT, { ts: [1, 1], bytes: 40 }).slice(0, bytes);

  test.each([
    ["NOT_IP", "ARP", arp],
    ["UNPARSABLE", "a packet shorter than it says", short(60)],
    ["OTHER_PROTOCOL", "UDP", packet(IPV4, OUT, udp)],
    ["OTHER_PROTOCOL", "ICMP", echo(IPV4, OUT, true, 1, 1)],
    ["NO_IDENTIFIER", "TCP without time stamps", tcp(IPV4, OUT, { bytes: 10 })],
    ["SYN_SKIPPED", "a SYN", tcp(IPV4, OUT, { ts: [1, 0], flags: ["syn"] })],
    ["NOT_OPENED", "a pure acknowledgement of an unknown flow", tcp(IPV4, OUT, { ts: [1, 1] })],
    ["NOT_OPENED", "a FIN of an unknown flow", tcp(IPV4, OUT, { ts: [1, 1], bytes: 5, flags: ["fin", "ack"] })],
    ["FRAGMENT", "a first fragment", tcp(IPV4, OUT, { ts: [1, 1], bytes: 64 }, { ipv4: { moreFragments: true } })],
    ["FRAGMENT", "a later fragment", tcp(IPV4, OUT, { ts: [1, 1], bytes: 64 }, { ipv4: { fragmentOffset: 800 } })],
    [
      "FRAGMENT",
      "an IPv6 fragment",
      tcp(IPV6, OUT, { ts: [1, 1] }, { ipv6: { extensions: [{ kind: "fragment", offset: 0, more: true, id: 1 }] } }),
    ],
  ] as const)("%s: %s, alike at every hook", (reason, _name, data) => {
    using rig = new Rig({ includeSyn: false });
    for (const hook of ["pping_egress", "pping_ingress", "pping_xdp"] as const) rig.see(hook, data);
    expect(rig.counters()).toEqual({ [reason]: 3 });
    expect(rig.told()).toEqual([]);
  });

  test.each(["pping_egress", "pping_xdp"] as const)("%s: a packet cut off anywhere is never mistaken", (hook) => {
    using rig = new Rig(ALL);
    // A test run wants a whole IP header.
    const packets = [
      [tcp(IPV4, OUT, { ts: [1, 1], bytes: 20 }), 34],
      [tcp(IPV6, OUT, { ts: [1, 1] }), 54],
      [dns(IPV6, OUT, true, 1), 54],
    ] as const;
    let sent = 0;
    for (const [whole, from] of packets) {
      for (let length = from; length < whole.length; length++, sent++) {
        rig.object.program(hook).testRun({ data: whole.slice(0, length) });
      }
    }
    expect(rig.counters()).toEqual({ UNPARSABLE: sent });
  });

  test.each(["pping_ingress", "pping_xdp"] as const)(
    "%s: IPv6 extension headers, IPv4 options, no link layer",
    (ingress) => {
      const chain = [{ kind: "hop-by-hop" }, { kind: "destination-options" }, { kind: "destination-options" }] as const;
      const variants = [
        { ipv6: { extensions: chain } },
        { ipv6: { extensions: [...chain, { kind: "fragment", offset: 0, more: false, id: 1 }] } },
      ];
      for (const more of variants) {
        using rig = new Rig();
        rig.see("pping_egress", tcp(IPV6, OUT, { ts: [5, 0], flags: ["syn"] }, more));
        rig.see(ingress, tcp(IPV6, IN, { ts: [1, 5] }, more));
        expect(rig.counters()).toMatchObject({ TRACKED: 2, SAMPLES: 1 });
      }
      using options = new Rig();
      const ipv4 = { options: new Uint8Array(40).fill(1) };
      options.see("pping_egress", tcp(IPV4, OUT, { ts: [5, 0], flags: ["syn"] }, { ipv4 }));
      options.see(ingress, tcp(IPV4, IN, { ts: [1, 5] }, { ipv4 }));
      expect(options.counters()).toMatchObject({ TRACKED: 2, SAMPLES: 1 });
    },
  );

  test("every packet is in a flow or in one reason, whatever it is", () => {
    using rig = new Rig(ALL);
    const kinds = [
      arp,
      packet(IPV6, OUT, udp),
      ...fragmentPacket(
        buildPacket({
          ipv4: { source: "10.0.0.1", destination: "10.0.0.2" },
          transport: { ...udp, payload: new Uint8Array(3000) },
        }),
        1500,
        1,
      ).map((fragment) => new Uint8Array([...new Uint8Array(12), 8, 0, ...fragment])),
      tcp(IPV4, OUT, { bytes: 10 }),
      tcp(IPV4, IN, { flags: ["rst"] }),
      tcp(IPV6, OUT, { ts: [1, 1], flags: ["syn"] }),
      echo(IPV6, OUT, true, 1, 1),
      dns(IPV4, OUT, true, 1),
      quic(IPV6, IN, true),
      short(50),
    ];
    for (const data of kinds) rig.see("pping_egress", data);
    const totals = rig.object.map("totals").sum(0);
    expect(totals?.packets.reduce((sum, count) => sum + count)).toBe(BigInt(kinds.length));
  });
});

describePrivileged("XDP", () => {
  test("frames of several buffers", () => {
    using rig = new Rig({ ingressHook: "xdp" });
    const bytes = 8000;
    rig.see("pping_xdp", tcp(IPV4, IN, { ts: [5, 1], flags: ["syn", "ack"], bytes }));
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [9, 5] }));
    expect(rig.counters()).toMatchObject({ TRACKED: 2, SAMPLES: 1 });
    expect(rig.busier()).toMatchObject({ packets: 1n, l3_bytes: 8052n, payload_bytes: 8000n });
  });

  test("without a link layer", () => {
    using rig = new Rig({ ingressHook: "xdp", l2Length: 0 });
    rig.see("pping_xdp", tcp({ ...IPV4, raw: true }, IN, { ts: [5, 1], flags: ["syn", "ack"] }));
    rig.see("pping_xdp", tcp({ ...IPV6, raw: true }, IN, { ts: [5, 1], flags: ["syn", "ack"] }));
    expect(rig.counters()).toMatchObject({ TRACKED: 2, FLOWS_CREATED: 2 });
  });
});

describePrivileged("prefixes", () => {
  const take = (rig: Rig) => {
    const table = rig.object.map("prefixes");
    const taken = table.swap(0, table.createInner({ maxEntries: 6 }));
    const aggregation = measurementOf({ ...NONE, ...rig.options }).aggregation;
    if (taken === undefined || aggregation === undefined) throw new Error("no table");
    return new PrefixAggregator(aggregation).take(taken.entries()).map(({ prefix, received, sent }) => {
      const [from, to] = [totalOf(received), totalOf(sent)];
      return `${prefix} ${from.packets} ${to.packets} ${from.l3Bytes} ${to.l3Bytes}`;
    });
  };

  test.each([
    [32, 64, ["10.0.0.1/32 2 0 104 0", "10.0.0.2/32 0 2 0 104", "2001:db8::/64 1 1 72 72"]],
    [0, 0, ["0.0.0.0/0 2 2 104 104", "::/0 1 1 72 72"]],
    [25, 1, ["10.0.0.0/25 2 2 104 104", "::/1 1 1 72 72"]],
  ])("IPv4 by %i bits, IPv6 by %i", (aggregateSubnetsV4, aggregateSubnetsV6, expected) => {
    using rig = new Rig({ aggregate: 1n, aggregateSubnetsV4, aggregateSubnetsV6 });
    const table = rig.object.map("prefixes");
    table.set(0, table.createInner({ maxEntries: 6 }));
    for (let i = 0; i < 2; i++) rig.see("pping_egress", tcp(IPV4, OUT, { ts: [i, 0] }));
    rig.see("pping_egress", tcp(IPV6, OUT, { ts: [0, 0] }));
    expect(take(rig)).toEqual(expected);
    expect(take(rig)).toEqual([]);
  });

  test("what finds no room is counted together, and not as somebody's prefix", () => {
    using rig = new Rig({ aggregate: 1n, aggregateSubnetsV4: 32, aggregateSubnetsV6: 64 });
    const table = rig.object.map("prefixes");
    const inner = table.createInner({ maxEntries: 4 });
    const nothing = { packets: 0n, l3_bytes: 0n };
    const none = { received: [nothing, nothing, nothing], sent: [nothing, nothing, nothing] };
    for (const family of [4, 6]) inner.set({ bits: 0n, family, other: 1 }, none);
    table.set(0, inner);
    for (let i = 1; i <= 9; i++)
      rig.see("pping_egress", tcp({ near: "10.0.0.1", far: `10.0.1.${i}` }, OUT, { ts: [1, 0] }));
    expect(take(rig)).toEqual(["0.0.0.0/0 0 8 0 416", "10.0.0.1/32 9 0 468 0", "10.0.1.1/32 0 1 0 52"]);
    expect(rig.counters()).toMatchObject({ PREFIX_TABLE_FULL: 8 });
  });
});

describePrivileged("tables", () => {
  test("packets without a flow entry are counted, all of them; there is room again after a sweep", () => {
    using rig = new Rig({ flows: 8, stamps: 4 });
    for (let port = 1; port <= 20; port++) {
      for (let i = 0; i < 3; i++)
        rig.see("pping_egress", tcp({ ...IPV4, nearPort: port }, OUT, { ts: [1 + i, 0], bytes: 9 }));
    }
    expect(rig.counters()).toMatchObject({ TRACKED: 24, FLOW_TABLE_FULL: 36, FLOWS_CREATED: 8 });
    expect(rig.sweep(31_000_000_000n)).toBe(8);
    rig.see("pping_egress", tcp({ ...IPV4, nearPort: 99 }, OUT, { ts: [1, 0], bytes: 9 }));
    expect(rig.counters()).toMatchObject({ TRACKED: 25, FLOWS_CREATED: 9, FLOWS_REMOVED: 8 });
  });

  test("identifiers without room are counted; old ones leave after 10 s, or 8 round trips", () => {
    using rig = new Rig({ flows: 8, stamps: 4 });
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [0, 0], flags: ["syn"] }));
    for (let value = 1; value < 10; value++) rig.see("pping_egress", tcp(IPV4, OUT, { ts: [value, 0], bytes: 9 }));
    const { STAMPS: stored = 0, STAMP_TABLE_FULL: refused = 0 } = rig.counters();
    expect(stored + refused).toBe(10);
    expect(refused).toBeGreaterThan(0);
    expect(rig.busier().outstanding).toBe(stored);
    const stamps = rig.object.map("stamps");
    for (const [key] of [...stamps]) stamps.set(key, 1n);
    rig.sweep();
    expect(rig.counters()).toMatchObject({ STAMPS_EXPIRED: stored });
    expect(rig.busier().outstanding).toBe(0);
  });

  test("a late answer to a flow that has gone is no sample of its successor", () => {
    using rig = new Rig(ALL);
    rig.see("pping_egress", echo(IPV4, OUT, true, 1, 1));
    expect(rig.sweep(31_000_000_000n)).toBe(1);
    rig.see("pping_egress", echo(IPV4, OUT, true, 1, 2));
    rig.see("pping_ingress", echo(IPV4, IN, false, 1, 1));
    expect(rig.counters()["SAMPLES"]).toBeUndefined();
  });
});
