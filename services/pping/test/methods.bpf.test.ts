import { describePrivileged } from "@waymark/testkit";
import { ALL, closeRigs, dns, echo, IPV4, IPV6, quic, Rig, tcp } from "./rig.ts";

const [OUT, IN] = [true, false];

afterAll(closeRigs);

describePrivileged("ICMP, DNS and QUIC", () => {
  test.each([
    ["ICMP", IPV4, "pping_ingress"],
    ["ICMPv6", IPV6, "pping_ingress"],
    ["ICMP at XDP", IPV4, "pping_xdp"],
  ] as const)("%s echo, requests from either side", (_name, pair, ingress) => {
    using rig = new Rig(ALL);
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
    using rig = new Rig(ALL);
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
    using rig = new Rig(ALL);
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
    const rig = new Rig({ sequence: true });
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
  test.each([0x7000_0000, 0xf000_0000])("time stamps tell also where the first sequence number is %i", (isn) => {
    using rig = new Rig({ tcp: true, handshake: true });
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [1000, 0], flags: ["syn"], seq: isn }));
    rig.see("pping_ingress", tcp(IPV4, IN, { ts: [500, 1000], flags: ["syn", "ack"], seq: isn, ack: isn + 1 }));
    for (let i = 1; i < 4; i++) {
      rig.see("pping_egress", tcp(IPV4, OUT, { ts: [1000 + i, 499 + i], bytes: 10, seq: isn + 1, ack: isn + 1 }));
      rig.see("pping_ingress", tcp(IPV4, IN, { ts: [500 + i, 1000 + i], bytes: 10, seq: isn + 1, ack: isn + 11 }));
    }
    rig.see("pping_egress", tcp(IPV4, OUT, { ts: [1004, 503], seq: isn + 11, ack: isn + 11 }));
    const told = rig.told().filter((line) => line.startsWith("rtt tcp_timestamp"));
    expect(told.filter((line) => !line.endsWith(" local"))).toHaveLength(3);
    expect(told.filter((line) => line.endsWith(" local"))).toHaveLength(3);
  });

  const syn = (more: object = {}) => tcp(IPV4, OUT, { flags: ["syn"], seq: 1000, ...more });
  const synAck = (more: object = {}) => tcp(IPV4, IN, { flags: ["syn", "ack"], seq: 5000, ack: 1001, ...more });
  const last = (more: object = {}) => tcp(IPV4, OUT, { seq: 1001, ack: 5001, ...more });

  test.each([{}, { ts: [7, 7] as const }])(
    "SYN to SYN/ACK and SYN/ACK to ACK, with and without time stamps",
    (more) => {
      using rig = new Rig({ handshake: true });
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
