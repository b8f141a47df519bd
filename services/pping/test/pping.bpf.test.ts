import { buildPacket, fragmentPacket } from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import { measurementOf } from "../src/config.ts";
import { PrefixAggregator } from "../src/prefix-aggregator.ts";
import { totalOf } from "../src/prefix-summary.ts";
import { closeRigs, dns, echo, type Hook, IPV4, IPV6, NONE, type Pair, packet, quic, Rig, tcp } from "./rig.ts";

const [OUT, IN] = [true, false];
const udp = { kind: "udp", sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array(40) } as const;

afterAll(closeRigs);

describePrivileged("TCP time stamps", () => {
  test.each([
    ["IPv4", IPV4, "pping_ingress"],
    ["IPv6", IPV6, "pping_ingress"],
    ["IPv4 at XDP", IPV4, "pping_xdp"],
    ["IPv6 at XDP", IPV6, "pping_xdp"],
    ["VLAN", { ...IPV4, vlan: 7 }, "pping_ingress"],
    ["VLAN at XDP", { ...IPV6, vlan: 7 }, "pping_xdp"],
    ["the near end sorting behind the far one", { near: "10.0.0.9", far: "10.0.0.2" }, "pping_ingress"],
    ["equal addresses", { near: "10.0.0.1", far: "10.0.0.1" }, "pping_ingress"],
  ] as const)("%s: one sample an identifier, at its first echo", (_name, pair: Pair, ingress: Hook) => {
    using rig = new Rig({ ingressHook: ingress === "pping_xdp" ? "xdp" : "tc" });
    rig.see("pping_egress", tcp(pair, OUT, { ts: [100, 5], flags: ["syn"] }));
    rig.see(ingress, tcp(pair, IN, { ts: [900, 100], flags: ["syn", "ack"] }));
    rig.see("pping_egress", tcp(pair, OUT, { ts: [101, 900], bytes: 100 }));
    rig.see("pping_egress", tcp(pair, OUT, { ts: [101, 900], bytes: 100, seq: 101 }));
    for (let i = 0; i < 3; i++) rig.see(ingress, tcp(pair, IN, { ts: [901, 101] }));
    const [near, far] = [`${pair.near}:4000`, `${pair.far}:80`];
    expect(rig.told()).toEqual([
      `opening SYN dest ${far}+${near}`,
      `rtt tcp_timestamp ${far}+${near}`,
      `opening SYN-ACK dest ${near}+${far}`,
      `rtt tcp_timestamp ${near}+${far} local`,
      `rtt tcp_timestamp ${far}+${near}`,
    ]);
    expect(rig.counters()).toEqual({ TRACKED: 7, STAMPS: 3, SAMPLES: 3, FLOWS_CREATED: 1 });
  });

  test("a pure acknowledgement is not stamped, and what has no ACK answers nothing", () => {
    using rig = new Rig();
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [100, 0], flags: ["syn"] }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [900, 100], flags: ["syn"] }));
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [200, 900] }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [901, 200] }));
    expect(rig.told().filter((line) => line.startsWith("rtt"))).toEqual([
      "rtt tcp_timestamp 10.0.0.1:4000+10.0.0.2:80 local",
    ]);
  });

  test("an older time stamp that comes late is not stamped again, also where it wraps round", () => {
    using rig = new Rig();
    const newest = 0xffff_fffe;
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [newest - 1, 0], flags: ["syn"] }));
    for (const value of [newest, 2, newest, 2]) {
      rig.see("pping_egress", tcp(IPV4, OUT, { ts: [value, 1], bytes: 10 }));
      rig.see("pping_ingress", tcp(IPV4, IN, { ts: [50, value] }));
    }
    expect(rig.told().filter((line) => line.startsWith("rtt"))).toHaveLength(2);
    expect(rig.counters()).toMatchObject({ STAMPS: 3, SAMPLES: 2 });
  });

  test("in the middle of a connection the first identifier may have been used before", () => {
    using rig = new Rig();
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [100, 1], bytes: 10 }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [50, 100] }));
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [101, 1], bytes: 10 }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [51, 101] }));
    expect(rig.told()).toEqual([
      "opening first observed packet dest 10.0.0.2:80+10.0.0.1:4000",
      "rtt tcp_timestamp 10.0.0.2:80+10.0.0.1:4000",
    ]);
  });

  test("options in any order and place are read; impossible ones end the list", () => {
    using rig = new Rig();
    const mss = { kind: "mss", value: 1460 } as const;
    const many = [mss, { kind: "sack-permitted" }, ...Array(12).fill({ kind: "nop" })] as const;
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [100, 0], flags: ["syn"], options: many }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [7, 100], sack: [[5, 6]] }));
    expect(rig.counters()).toMatchObject({ TRACKED: 2, SAMPLES: 1 });
    const broken = tcp({ ...IPV4, nearPort: 1 }, OUT, {
      bytes: 9,
      options: [{ kind: "other", number: 77, data: new Uint8Array(2) }],
    });
    broken[14 + 20 + 21] = 40;
    rig.see("pping_egress", broken);
    expect(rig.counters()).toMatchObject({ NO_IDENTIFIER: 1 });
  });

  test("least and smoothed round-trip time follow the samples", () => {
    using rig = new Rig();
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [0, 0], flags: ["syn"] }));
    for (let value = 1; value < 9; value++) {
      rig.see("pping_egress", tcp(IPV4, OUT, { ts: [value, 1], bytes: 10 }));
      rig.see("pping_ingress", tcp(IPV4, IN, { ts: [50, value] }));
    }
    const samples = rig.news().flatMap((news) => (news.kind === "rtt" ? [news] : []));
    expect(samples).toHaveLength(8);
    let [least, smoothed] = [Number.POSITIVE_INFINITY, 0];
    for (const sample of samples) {
      least = Math.min(least, sample.rttNs);
      smoothed = smoothed === 0 ? sample.rttNs : smoothed + (sample.rttNs >> 3) - (smoothed >> 3);
      expect(sample.minRttNs).toBe(least);
    }
    expect(rig.busier()).toMatchObject({ min_rtt_ns: BigInt(least), smoothed_rtt_ns: BigInt(smoothed) });
  });

  test("-r: one sample in the time; -R: one in so many round-trip times", () => {
    const exchange = (rig: Rig) => {
      rig.see("pping_egress", tcp(IPV4, OUT, { ts: [0, 0], flags: ["syn"] }));
      for (let value = 1; value < 50; value++) {
        rig.see("pping_ingress", tcp(IPV4, IN, { ts: [50, value - 1] }));
        rig.see("pping_egress", tcp(IPV4, OUT, { ts: [value, 1], bytes: 10 }));
      }
      return rig.counters()["SAMPLES"];
    };
    using hourly = new Rig({ rateLimit: 3_600_000_000_000n });
    expect(exchange(hourly)).toBe(1);
    // A thousandth of a round trip is always over, whatever --rate-limit says.
    using often = new Rig({ rateLimit: 3_600_000_000_000n, rttRate: 0.001 });
    expect(exchange(often)).toBe(49);
  });
});

describePrivileged("flows", () => {
  const open = (rig: Rig) => {
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [100, 0], flags: ["syn"], seq: 1000 }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [900, 100], flags: ["syn", "ack"], seq: 5000, ack: 1001 }));
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [101, 900], seq: 1001, ack: 5001 }));
    rig.told();
  };
  const near = "10.0.0.1:4000";
  const far = "10.0.0.2:80";

  test("FIN ends one direction each, once; late segments still count for the flow", () => {
    using rig = new Rig();
    open(rig);
    const fin = tcp(IPV4, OUT, { ts: [102, 900], flags: ["fin", "ack"], seq: 1001 });
    rig.see("pping_egress", fin);
    rig.see("pping_egress", fin);
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [901, 102], flags: ["fin", "ack"], seq: 5001 }));
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [103, 901], seq: 1002 }));
    expect(rig.told()).toEqual([`closing FIN dest ${far}+${near}`, `closing FIN dest ${near}+${far}`]);
    expect(rig.flow().direction.map(({ packets }) => packets)).toEqual([5n, 2n]);
    expect(rig.sweep(3_000_000_000n)).toBe(1);
    expect(rig.news()).toMatchObject([
      { kind: "removed", flow: { text: `${far}+${near}` }, counts: { sentPackets: 5, receivedPackets: 2 } },
    ]);
  });

  test("both ends close at the same time", () => {
    using rig = new Rig();
    open(rig);
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [102, 900], flags: ["fin", "ack"], seq: 1001 }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [901, 101], flags: ["fin", "ack"], seq: 5001 }));
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [103, 901], seq: 1002 }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [902, 102], seq: 5002 }));
    expect(rig.told()).toEqual([`closing FIN dest ${far}+${near}`, `closing FIN dest ${near}+${far}`]);
  });

  test("RST ends both directions", () => {
    using rig = new Rig();
    open(rig);
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [901, 101], flags: ["rst", "ack"] }));
    expect(rig.told()).toEqual([`closing RST dest ${near}+${far}`, `closing RST src ${far}+${near}`]);
  });

  test("a half-open flow never opened, and leaves after 30 s without an event of closing", () => {
    using rig = new Rig();
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [100, 0], flags: ["syn"] }));
    expect(rig.sweep(29_000_000_000n)).toBe(0);
    expect(rig.sweep(2_000_000_000n)).toBe(1);
    expect(rig.told()).toEqual([`removed ${far}+${near}`]);
  });

  test("an open flow that is silent for 300 s is closed by its time-out, an echo's after 30 s", () => {
    using rig = new Rig({ tcp: true, icmp: true });
    open(rig);
    rig.see("pping_egress", echo(IPV4, OUT, true, 9, 1));
    rig.see("pping_ingress", echo(IPV4, IN, false, 9, 1));
    rig.told();
    expect(rig.sweep(31_000_000_000n)).toBe(1);
    expect(rig.told()).toEqual([
      `closing flow timeout garbage collection 10.0.0.2:9+10.0.0.1:9`,
      "removed 10.0.0.2:9+10.0.0.1:9",
    ]);
    expect(rig.sweep(250_000_000_000n)).toBe(0);
    expect(rig.sweep(20_000_000_000n)).toBe(1);
    expect(rig.told()).toEqual([
      `closing flow timeout garbage collection ${far}+${near}`,
      `closing flow timeout garbage collection ${near}+${far}`,
      `removed ${far}+${near}`,
    ]);
  });

  test.each([true, false])(
    "ports that are used again make a new flow, closed before or not (SYN tracked: %s)",
    (includeSyn) => {
      using rig = new Rig({ includeSyn });
      const connect = (value: number, seq: number) => {
        rig.see("pping_egress", tcp(IPV4, OUT, { ts: [value, 0], flags: ["syn"], seq }));
        rig.see("pping_ingress", tcp(IPV4, IN, { ts: [900, value], flags: ["syn", "ack"], seq: 5000, ack: seq + 1 }));
        rig.see("pping_egress", tcp(IPV4, OUT, { ts: [value + 1, 900], bytes: 10, seq: seq + 1 }));
        rig.see("pping_egress", tcp(IPV4, OUT, { ts: [value + 2, 900], bytes: 10, seq: seq + 11 }));
        rig.see("pping_ingress", tcp(IPV4, IN, { ts: [901, value + 2], seq: 5001, ack: seq + 21 }));
      };
      connect(5000, 1000);
      // The same SYN again is no new connection.
      rig.see("pping_egress", tcp(IPV4, OUT, { ts: [5000, 0], flags: ["syn"], seq: 1000 }));
      rig.told();
      // Its time stamps begin below: with the old flow they would all look old.
      connect(40, 777_000);
      const told = rig.told();
      const opening = includeSyn ? "opening SYN dest" : "opening first observed packet dest";
      expect(told).toEqual(expect.arrayContaining([`closing SYN dest ${far}+${near}`, `removed ${far}+${near}`]));
      expect(told).toEqual(expect.arrayContaining([`${opening} ${far}+${near}`, `rtt tcp_timestamp ${far}+${near}`]));
      expect(rig.counters()).toMatchObject({ FLOWS_CREATED: 2, FLOWS_REMOVED: 1 });
    },
  );

  test("each VLAN has flows of its own at TC, so that traffic routed between them is told apart", () => {
    using rig = new Rig();
    for (const vlan of [7, 8]) rig.see("pping_egress", tcp({ ...IPV4, vlan }, OUT, { ts: [1, 0], flags: ["syn"] }));
    expect(rig.counters()).toMatchObject({ FLOWS_CREATED: 2 });
    using xdp = new Rig({ ingressHook: "xdp" });
    for (const vlan of [7, 8]) xdp.see("pping_egress", tcp({ ...IPV4, vlan }, OUT, { ts: [1, 0], flags: ["syn"] }));
    expect(xdp.counters()).toMatchObject({ FLOWS_CREATED: 1 });
  });

  test("super-packets count as their segments, bytes as on the wire", () => {
    using rig = new Rig();
    const data = tcp(IPV4, OUT, { ts: [1, 0], flags: ["syn", "ack"], bytes: 3500 });
    rig.see("pping_egress", data, { gso_segs: 3, gso_size: 1448 });
    expect(rig.busier()).toMatchObject({ packets: 3n, l3_bytes: 3500n + 3n * 52n, payload_bytes: 3500n });
    expect(rig.counters()).toMatchObject({ TRACKED: 3 });
  });
});

describePrivileged("ICMP, DNS and QUIC", () => {
  test.each([
    ["ICMP", IPV4, "pping_ingress"],
    ["ICMPv6", IPV6, "pping_ingress"],
    ["ICMP at XDP", IPV4, "pping_xdp"],
  ] as const)("%s echo, requests from either side", (_name, pair, ingress) => {
    using rig = new Rig({ icmp: true });
    rig.see("pping_egress", echo(pair, OUT, true, 7, 1));
    rig.see(ingress, echo(pair, IN, false, 7, 2));
    rig.see(ingress, echo(pair, IN, false, 7, 1));
    rig.see(ingress, echo(pair, IN, false, 7, 1));
    rig.see(ingress, echo(pair, IN, true, 8, 1));
    rig.see("pping_egress", echo(pair, OUT, false, 8, 1));
    expect(rig.told().filter((line) => line.startsWith("rtt"))).toEqual([
      `rtt icmp_echo ${pair.far}:7+${pair.near}:7`,
      `rtt icmp_echo ${pair.near}:8+${pair.far}:8 local`,
    ]);
  });

  test("DNS by 5-tuple and identifier; a query that was repeated tells nothing, however often", () => {
    using rig = new Rig({ dns: true });
    rig.see("pping_egress", dns(IPV4, OUT, true, 1));
    rig.see("pping_egress", dns(IPV4, OUT, true, 2));
    rig.see("pping_ingress", dns(IPV4, IN, false, 2));
    rig.see("pping_ingress", dns({ ...IPV4, nearPort: 5 }, IN, false, 1));
    for (let i = 0; i < 3; i++) rig.see("pping_egress", dns(IPV4, OUT, true, 1));
    rig.see("pping_ingress", dns(IPV4, IN, false, 1));
    expect(rig.told().filter((line) => line.startsWith("rtt"))).toEqual(["rtt dns 10.0.0.2:53+10.0.0.1:4000"]);
    expect(rig.counters()).toMatchObject({ SAMPLES: 1, STAMPS_VOID: 1, NOT_OPENED: 1 });
  });

  test("the spin bit: a sample an edge, surer the longer its run; a bit at random is not believed", () => {
    using rig = new Rig({ quic: true });
    rig.see("pping_ingress", quic(IPV4, IN, undefined));
    for (let edge = 0; edge < 4; edge++) {
      for (let i = 0; i < 12; i++) rig.see("pping_ingress", quic(IPV4, IN, edge % 2 === 1));
    }
    const samples = rig.news().flatMap((news) => (news.kind === "rtt" ? [news] : []));
    expect(samples.map(({ method }) => method)).toEqual(["quic_spin", "quic_spin"]);
    const greased = { ...IPV4, nearPort: 9 };
    for (let i = 0; i < 20; i++) rig.see("pping_ingress", quic(greased, IN, i % 2 === 1));
    const doubtful = rig.news().flatMap((news) => (news.kind === "rtt" ? [news] : []));
    expect(doubtful).toHaveLength(18);
    expect(doubtful.every(({ confidencePermille, minRttNs }) => confidencePermille === 0 && minRttNs === 0)).toBe(true);
  });
});

describePrivileged("TCP sequence numbers", () => {
  const rtts = (rig: Rig) => rig.told().filter((line) => line.startsWith("rtt"));
  const sample = "rtt tcp_sequence 10.0.0.2:80+10.0.0.1:4000";
  const opened = () => {
    const rig = new Rig({ sequence: true, includeSyn: false });
    rig.see("pping_egress", tcp(IPV4, OUT, { bytes: 100, seq: 0xffff_ff00 }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ack: 0xffff_ff64 }));
    expect(rtts(rig)).toEqual([]);
    return rig;
  };
  const data = (seq: number, bytes = 100) => tcp(IPV4, OUT, { bytes, seq: (0xffff_ff64 + seq) >>> 0 });
  const ack = (upTo: number, more: object = {}) => tcp(IPV4, IN, { ack: (0xffff_ff64 + upTo) >>> 0, ...more });

  test("the acknowledgement of exactly a segment, once, also where numbers wrap round", () => {
    using rig = opened();
    for (let i = 0; i < 4; i++) {
      rig.see("pping_egress", data(100 * i));
      rig.see("pping_ingress", ack(100 * i + 100));
      rig.see("pping_ingress", ack(100 * i + 100));
    }
    expect(rtts(rig)).toEqual([sample, sample, sample, sample]);
  });

  test("of an acknowledgement for several segments only the last one's time is told", () => {
    using rig = opened();
    rig.see("pping_egress", data(0));
    rig.see("pping_egress", data(100));
    rig.see("pping_ingress", ack(200));
    rig.see("pping_ingress", ack(100));
    expect(rtts(rig)).toEqual([sample]);
  });

  test("nothing of what was sent again, nor of what waited for it", () => {
    using rig = opened();
    rig.see("pping_egress", data(0));
    rig.see("pping_egress", data(100));
    rig.see("pping_egress", data(0));
    rig.see("pping_ingress", ack(100));
    rig.see("pping_ingress", ack(200));
    expect(rtts(rig)).toEqual([]);
    rig.see("pping_egress", data(200));
    rig.see("pping_ingress", ack(300));
    expect(rtts(rig)).toEqual([sample]);
  });

  test("nothing across a SACK hole, nor after a duplicate acknowledgement", () => {
    using rig = opened();
    rig.see("pping_egress", data(0));
    rig.see("pping_egress", data(100));
    rig.see("pping_ingress", ack(0, { sack: [[200, 300]] }));
    rig.see("pping_ingress", ack(200));
    expect(rtts(rig)).toEqual([]);
    rig.see("pping_egress", data(200));
    rig.see("pping_ingress", ack(200));
    rig.see("pping_ingress", ack(300));
    expect(rtts(rig)).toEqual([]);
    expect(rig.counters()["STAMPS_VOID"]).toBe(2);
  });

  test("a FIN counts as an octet", () => {
    using rig = opened();
    rig.see("pping_egress", tcp(IPV4, OUT, { bytes: 100, seq: 0xffff_ff64, flags: ["fin", "ack"] }));
    rig.see("pping_ingress", ack(101));
    expect(rtts(rig)).toEqual([sample]);
  });

  test("each segment of a super-packet by itself", () => {
    using rig = opened();
    rig.see("pping_egress", data(0, 3500), { gso_segs: 3, gso_size: 1448 });
    for (const upTo of [1448, 2896, 3500]) rig.see("pping_ingress", ack(upTo));
    expect(rtts(rig)).toEqual([sample, sample, sample]);
  });

  test("flows with time stamps keep to them", () => {
    using rig = new Rig({ sequence: true });
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [1, 0], flags: ["syn"] }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [9, 1], ack: 2 }));
    expect(rtts(rig)).toEqual(["rtt tcp_timestamp 10.0.0.2:80+10.0.0.1:4000"]);
  });
});

describePrivileged("TCP handshakes", () => {
  const syn = (more: object = {}) => tcp(IPV4, OUT, { flags: ["syn"], seq: 1000, ...more });
  const synAck = (more: object = {}) => tcp(IPV4, IN, { flags: ["syn", "ack"], seq: 5000, ack: 1001, ...more });
  const last = (more: object = {}) => tcp(IPV4, OUT, { seq: 1001, ack: 5001, ...more });

  test.each([{}, { ts: [7, 7] as const }])(
    "SYN to SYN/ACK and SYN/ACK to ACK, with and without time stamps",
    (more) => {
      using rig = new Rig({ handshake: true, includeSyn: false });
      rig.see("pping_egress", syn(more));
      rig.see("pping_ingress", synAck(more));
      rig.see("pping_egress", last(more));
      rig.see("pping_egress", last(more));
      expect(rig.told().filter((line) => line.startsWith("rtt"))).toEqual([
        "rtt tcp_handshake 10.0.0.2:80+10.0.0.1:4000",
        "rtt tcp_handshake 10.0.0.1:4000+10.0.0.2:80 local",
      ]);
    },
  );

  test("nothing from a SYN that was sent again", () => {
    using rig = new Rig({ handshake: true });
    rig.see("pping_egress", syn());
    rig.see("pping_egress", syn());
    rig.see("pping_ingress", synAck());
    rig.see("pping_egress", last());
    expect(rig.told().filter((line) => line.startsWith("rtt"))).toEqual([
      "rtt tcp_handshake 10.0.0.1:4000+10.0.0.2:80 local",
    ]);
  });
});

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
    using rig = new Rig({ icmp: true, dns: true, quic: true, sequence: true });
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
    using rig = new Rig({ tcp: true, icmp: true, dns: true, quic: true, handshake: true, sequence: true });
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
    [24, 48, ["10.0.0.0/24 2 2 104 104", "2001:db8::/48 1 1 72 72"]],
    [32, 64, ["10.0.0.1/32 2 0 104 0", "10.0.0.2/32 0 2 0 104", "2001:db8::/64 1 1 72 72"]],
    [0, 0, ["0.0.0.0/0 2 2 104 104", "::/0 1 1 72 72"]],
    [31, 1, ["10.0.0.0/31 2 0 104 0", "10.0.0.2/31 0 2 0 104", "::/1 1 1 72 72"]],
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
    using rig = new Rig({ aggregate: 1n, aggregateSubnetsV4: 32, prefixes: 2 });
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
    using rig = new Rig({ flows: 8 });
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
    using rig = new Rig({ stamps: 4 });
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
    using rig = new Rig({ icmp: true });
    rig.see("pping_egress", echo(IPV4, OUT, true, 1, 1));
    expect(rig.sweep(31_000_000_000n)).toBe(1);
    rig.see("pping_egress", echo(IPV4, OUT, true, 1, 2));
    rig.see("pping_ingress", echo(IPV4, IN, false, 1, 1));
    expect(rig.counters()["SAMPLES"]).toBeUndefined();
  });
});
