import { describePrivileged } from "@waymark/testkit";
import { ALL, closeRigs, echo, type Hook, IPV4, IPV6, type Pair, Rig, tcp } from "./rig.ts";

const [OUT, IN] = [true, false];

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
    using smoothed = new Rig({ rateLimit: 3_600_000_000_000n, rttRate: 0.001, rttType: "smoothed" });
    expect(exchange(smoothed)).toBe(49);
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
    using rig = new Rig(ALL);
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
