import fc from "fast-check";
import type { TcflowsCount } from "../bpf/tcflows.gen.ts";
import { batchOf } from "../test/batches.ts";
import { idOfKey, ipFlow } from "../test/flow-id.ts";
import { flowKey, overflowId } from "./flow-key.ts";
import type { FlowRecord, FlowView } from "./flow-record.ts";
import { FlowTable, type FlowTableOptions } from "./flow-table.ts";
import { Siblings } from "./siblings.ts";

const SECOND = 1e9;
const BASE = 2n ** 40n + 12_345_678_901n;
const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
const WEB = ipFlow(6, "10.0.0.1:4000", "10.0.0.2:80");
const DNS = ipFlow(17, "10.0.0.1:5000", "10.0.0.3:53");

function tableOf(options: Partial<FlowTableOptions> = {}): FlowTable {
  const times = { activeTimeoutNs: 5 * SECOND, idleTimeoutNs: 15 * SECOND, readEveryNs: SECOND, baseNs: BASE };
  return new FlowTable({ device: "eth0", limit: 1000, ...times, ...options });
}

/** What passed between two times (in seconds since the start). */
function passed(packets: number, fromS: number, toS: number, more: Partial<TcflowsCount> = {}): Partial<TcflowsCount> {
  const at = (s: number) => BASE + BigInt(Math.round(s * SECOND));
  return {
    packets: BigInt(packets),
    l3_bytes: BigInt(packets * 100),
    l2_bytes: BigInt(packets * 114),
    first_ns: at(fromS),
    last_ns: at(toS),
    ...more,
  };
}

class Sink {
  readonly records: FlowRecord[] = [];
  readonly shown: FlowView[] = [];
  readonly whole: FlowView[] = [];
  record(record: FlowRecord): void {
    this.records.push(record);
  }
  ended(sinceShown: FlowView, sinceStart: FlowView): void {
    this.shown.push(sinceShown);
    this.whole.push(sinceStart);
  }
  /** Packets, end and times in seconds of the records since the last call. */
  take(): unknown[] {
    return this.records
      .splice(0)
      .map(({ packets, end, firstNs, lastNs }) => [packets, end, firstNs / SECOND, lastNs / SECOND]);
  }
}

test("reads the kernel's elements as the generated codec does", () => {
  const table = tableOf();
  const macs = Uint8Array.of(2, 0, 0, 0, 0, 9, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54);
  const big = { packets: 2n ** 33n + 5n, l3_bytes: 2n ** 50n + 7n, l2_bytes: 2n ** 51n + 9n };
  table.absorb(batchOf([[DNS, { ...passed(0, 1, 2), ...big, tcp_flags: 0x1ff, dscp: 46, macs }]]));
  expect([...table.views("start", 0)]).toEqual([
    {
      id: DNS,
      device: "eth0",
      packets: Number(big.packets),
      l3Bytes: Number(big.l3_bytes),
      l2Bytes: Number(big.l2_bytes),
      startNs: SECOND,
      lastNs: 2 * SECOND,
      tcpFlags: 0x1ff,
      dscp: 46,
      destinationMac: 0x020000000009,
      sourceMac: 0xfedcba987654,
      end: undefined,
      duplicate: false,
      clockStepped: false,
    },
  ]);
});

test("a record every active time-out, and at the end when idle; they add up", () => {
  const table = tableOf();
  const sink = new Sink();
  for (let s = 0; s < 8; s++) {
    table.absorb(batchOf([[DNS, passed(10, s + 0.1, s + 0.9)]]));
    table.advance((s + 1) * SECOND, sink);
  }
  expect(sink.take()).toEqual([[50, undefined, 0.1, 4.9]]);
  table.advance(22 * SECOND, sink);
  expect(sink.take()).toEqual([[30, undefined, 5.1, 7.9]]);
  table.advance(23 * SECOND, sink);
  expect(sink.take()).toEqual([[0, "idle", 7.9, 7.9]]);
  expect(table.size).toBe(0);
  expect(sink.whole.map(({ packets, startNs }) => [packets, startNs / SECOND])).toEqual([[80, 0.1]]);
});

test("a reading that is a little early or late does not put a record off to the next one", () => {
  const table = tableOf();
  const sink = new Sink();
  const told: number[] = [];
  for (let s = 1; s <= 20; s++) {
    table.absorb(batchOf([[DNS, passed(10, s - 0.9, s - 0.5)]]));
    table.advance((s + (s % 2 ? 0.01 : -0.01)) * SECOND, sink);
    if (sink.take().length > 0) told.push(s);
  }
  expect(told).toEqual([5, 10, 15, 20]);
});

test.each([
  ["fin", FIN | ACK],
  ["rst", RST],
  ["rst", FIN | RST],
] as const)("a connection ends by %s once nothing came for a second", (end, flags) => {
  const table = tableOf();
  const sink = new Sink();
  table.absorb(batchOf([[WEB, passed(5, 0.1, 0.9, { tcp_flags: SYN | ACK | flags })]]));
  table.advance(1.5 * SECOND, sink);
  expect(sink.take()).toEqual([]);
  table.absorb(batchOf([[WEB, passed(1, 1.6, 1.6, { tcp_flags: ACK })]]));
  table.advance(2.5 * SECOND, sink);
  expect(sink.take()).toEqual([]);
  table.advance(2.6 * SECOND, sink);
  expect(sink.take()).toEqual([[6, end, 0.1, 1.6]]);
});

test("a SYN after FIN is another connection between the same ports", () => {
  const table = tableOf();
  const sink = new Sink();
  table.absorb(batchOf([[WEB, passed(5, 0.1, 0.5, { tcp_flags: SYN | FIN | ACK })]]));
  table.absorb(batchOf([[WEB, passed(7, 0.8, 0.9, { tcp_flags: SYN | ACK })]]));
  table.advance(1 * SECOND, sink);
  expect(sink.take()).toEqual([[5, "fin", 0.1, 0.5]]);
  table.finish(1.2 * SECOND, sink);
  expect(sink.take()).toEqual([[7, "shutdown", 0.8, 0.9]]);
  expect(sink.whole.map(({ packets, startNs }) => [packets, startNs / SECOND])).toEqual([
    [5, 0.1],
    [7, 0.8],
  ]);
});

test("what was shown is not shown again; the end shows the rest", () => {
  const table = tableOf();
  const sink = new Sink();
  table.absorb(batchOf([[DNS, passed(10, 0, 0.5)]]));
  expect([...table.views("shown", SECOND)].map(({ packets }) => packets)).toEqual([10]);
  table.absorb(batchOf([[DNS, passed(3, 1, 1.5)]]));
  expect([...table.views("shown", SECOND)].map(({ packets, l2Bytes }) => [packets, l2Bytes])).toEqual([[3, 342]]);
  table.absorb(batchOf([[DNS, passed(4, 2, 2.5)]]));
  table.finish(3 * SECOND, sink);
  expect(sink.shown.map(({ packets }) => packets)).toEqual([4]);
  expect(sink.whole.map(({ packets }) => packets)).toEqual([17]);
});

test("flows beyond the limit, and what the kernel had no room for, are in records by protocol and direction", () => {
  const table = tableOf({ limit: 2 });
  const sink = new Sink();
  const more = [1, 2, 3].map((port) => ipFlow(6, `10.0.0.9:${port}`, "10.0.0.2:80"));
  table.absorb(batchOf([WEB, DNS, ...more].map((id) => [id, passed(10, 0, 0.5)])));
  const sum = { packets: 7, l3Bytes: 700, l2Bytes: 798 };
  table.absorbOverflow([{ direction: "egress", protocol: 6, ...sum }], 0, SECOND);
  // read while a program was counting: its bytes, but not yet its packets
  table.absorbOverflow([{ direction: "egress", protocol: 6, packets: 7, l3Bytes: 900, l2Bytes: 1026 }], 0, SECOND);
  table.absorbOverflow([{ direction: "egress", protocol: 6, packets: 9, l3Bytes: 900, l2Bytes: 1026 }], 0, SECOND);
  table.absorbOverflow([{ direction: "ingress", protocol: undefined, ...sum }], 0, SECOND);
  table.finish(2 * SECOND, sink);
  const named = sink.records.map(({ id, packets, l2Bytes }) => {
    const { overflow, protocol, direction } = flowKey(id);
    return [overflow, direction, protocol, packets, l2Bytes];
  });
  expect(named).toEqual([
    [false, "egress", 6, 10, 1140],
    [false, "egress", 17, 10, 1140],
    [true, "egress", 6, 39, 3 * 1140 + 1026],
    [true, "ingress", 0, 7, 798],
  ]);
  expect(table.overflowPackets).toBe(46);
});

test("flows that began before a step of the wall clock are marked, later ones are not", () => {
  const table = tableOf();
  const sink = new Sink();
  table.absorb(batchOf([[WEB, passed(1, 0.5, 0.5)]]));
  table.clockStepped(1 * SECOND);
  table.absorb(
    batchOf([
      [DNS, passed(1, 1.5, 1.5)],
      [WEB, passed(1, 1.6, 1.6)],
    ]),
  );
  table.finish(2 * SECOND, sink);
  expect(sink.records.map(({ id, clockStepped }) => [id === WEB, clockStepped])).toEqual([
    [true, true],
    [false, false],
  ]);
});

test("a bounded number of flows ends in one go; all of them in the end", () => {
  const table = tableOf({ limit: 200_000 });
  const sink = new Sink();
  const ids = Array.from({ length: 70_000 }, (_, i) =>
    ipFlow(17, `10.${i >> 15}.0.1:${1 + (i & 0x7fff)}`, "10.9.0.1:53"),
  );
  table.absorb(batchOf(ids.map((id) => [id, passed(1, 0, 0)])));
  expect(table.finish(2 * SECOND, sink)).toBe(true);
  expect(sink.records).toHaveLength(65_536);
  expect(table.finish(2 * SECOND, sink)).toBe(false);
  expect(new Set(sink.records.map(({ id }) => id)).size).toBe(70_000);
  expect(table.size).toBe(0);
});

test("with little room left, flows that pause make place", () => {
  const table = tableOf({ limit: 2 });
  const sink = new Sink();
  table.absorb(
    batchOf([
      [WEB, passed(1, 0, 0)],
      [DNS, passed(1, 1.5, 1.5)],
    ]),
  );
  table.advance(2 * SECOND, sink);
  expect(sink.take()).toEqual([[1, "resources", 0, 0]]);
});

test("records and what is left add up to all that was counted, whatever happens", () => {
  const ids = [WEB, DNS, ipFlow(6, "[fd00::1]:1", "[fd00::2]:2"), overflowId("ingress", 17)];
  const round = fc.record({
    deltas: fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 50 }), fc.constantFrom(0, SYN, FIN, RST, ACK)), {
      maxLength: 5,
    }),
    waitS: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(
    fc.property(fc.array(round, { maxLength: 20 }), fc.constantFrom(1, 2, 1000), (rounds, limit) => {
      const table = tableOf({ limit });
      const sink = new Sink();
      let nowS = 0;
      let counted = 0;
      for (const { deltas, waitS } of rounds) {
        for (const [which, packets, tcp_flags] of deltas) {
          counted += packets;
          table.absorb(batchOf([[ids[which] ?? WEB, passed(packets, nowS, nowS + 0.5, { tcp_flags })]]));
        }
        nowS += waitS;
        table.advance(nowS * SECOND, sink);
      }
      table.finish((nowS + 1) * SECOND, sink);
      const sum = (of: readonly { readonly packets: number; readonly l3Bytes: number }[]) =>
        of.reduce<readonly number[]>(([a = 0, b = 0], { packets, l3Bytes }) => [a + packets, b + l3Bytes], [0, 0]);
      expect(table.countedPackets).toBe(counted);
      expect(sum(sink.records)).toEqual([counted, counted * 100]);
      expect(sum(sink.whole)).toEqual([counted, counted * 100]);
    }),
    { numRuns: 200 },
  );
});

describe("a flow on two interfaces", () => {
  const inwards = ipFlow(17, "10.0.0.1:1", "10.1.0.1:2", { direction: 1 });
  const outwards = ipFlow(17, "10.0.0.1:1", "10.1.0.1:2", { direction: 2 });

  function router() {
    const siblings = new Siblings();
    const [eth0, eth1] = ["eth0", "eth1"].map((device) => tableOf({ device, siblings }));
    return { eth0: eth0 as FlowTable, eth1: eth1 as FlowTable };
  }

  test("belongs to the one that saw it first, whichever is read first", () => {
    const { eth0, eth1 } = router();
    const sink = new Sink();
    eth1.absorb(batchOf([[outwards, passed(3, 0.2, 0.4)]]));
    // too young to be told: the other may not have been read yet
    eth1.advance(0.1 * SECOND, sink);
    eth0.absorb(batchOf([[inwards, passed(3, 0.1, 0.3)]]));
    for (const table of [eth0, eth1]) table.advance(20 * SECOND, sink);
    expect(sink.records.map(({ device, duplicate }) => [device, duplicate])).toEqual([
      ["eth0", false],
      ["eth1", true],
    ]);
  });

  test("is not taken for another's: without addresses, or from an unspecified one, packets only look alike", () => {
    const { eth0, eth1 } = router();
    const sink = new Sink();
    const dhcp = ipFlow(17, "0.0.0.0:68", "255.255.255.255:67");
    const alike = [idOfKey({ ether_type: 0x806 }), dhcp, ipFlow(58, "[::]:0", "[ff02::16]:0")];
    for (const table of [eth0, eth1]) {
      table.absorb(batchOf(alike.map((id) => [id, passed(1, 0.1, 0.1)])));
      table.absorbOverflow([{ direction: "egress", protocol: 6, packets: 1, l3Bytes: 40, l2Bytes: 54 }], 0, SECOND);
      table.finish(2 * SECOND, sink);
    }
    expect(sink.records.map(({ duplicate }) => duplicate)).toEqual(new Array(8).fill(false));
  });

  test("stays with its owner while the connection ends, and may then be the other's", () => {
    const { eth0, eth1 } = router();
    const sink = new Sink();
    // the second interface sees a single packet after the first has seen its last one
    eth0.absorb(batchOf([[inwards, passed(1, 0.1, 0.1)]]));
    eth1.absorb(batchOf([[outwards, passed(1, 0.2, 0.2)]]));
    for (const table of [eth0, eth1]) table.advance(16 * SECOND, sink);
    eth1.absorb(batchOf([[outwards, passed(1, 18, 18)]]));
    eth1.finish(19 * SECOND, sink);
    expect(sink.records.map(({ device, packets, duplicate }) => [device, packets, duplicate])).toEqual([
      ["eth0", 1, false],
      ["eth1", 1, true],
      ["eth1", 1, false],
    ]);
  });

  test("is the new way's when the route has changed: somebody counts it again once the owner has ended", () => {
    const siblings = new Siblings();
    const [eth0, eth1, eth2] = ["eth0", "eth1", "eth2"].map((device) => tableOf({ device, siblings })) as [
      FlowTable,
      FlowTable,
      FlowTable,
    ];
    const sink = new Sink();
    for (let s = 0; s < 40; s++) {
      (s < 5 ? eth0 : eth2).absorb(batchOf([[inwards, passed(10, s + 0.1, s + 0.8)]]));
      eth1.absorb(batchOf([[outwards, passed(10, s + 0.2, s + 0.9)]]));
      for (const table of [eth1, eth0, eth2]) table.advance((s + 1) * SECOND, sink);
    }
    for (const table of [eth0, eth1, eth2]) table.finish(41 * SECOND, sink);
    const counted = (device: string, fromS: number) =>
      sink.records
        .filter((record) => record.device === device && !record.duplicate && record.firstNs >= fromS * SECOND)
        .reduce((sum, { packets }) => sum + packets, 0);
    expect(counted("eth0", 0)).toBe(50);
    expect(counted("eth1", 0)).toBe(0);
    // eth0 has ended after 15 s without a packet, and eth2 tells every 5 s
    expect(counted("eth2", 20)).toBeGreaterThanOrEqual(200 - 10);
  });

  test("is the other's when the owner sees no more of it and nobody has joined", () => {
    const { eth0, eth1 } = router();
    const sink = new Sink();
    eth0.absorb(batchOf([[inwards, passed(10, 0.1, 0.8)]]));
    for (let s = 0; s < 30; s++) {
      eth1.absorb(batchOf([[outwards, passed(10, s + 0.2, s + 0.9)]]));
      for (const table of [eth1, eth0]) table.advance((s + 1) * SECOND, sink);
    }
    eth1.finish(31 * SECOND, sink);
    const own = sink.records.filter(({ device, duplicate }) => device === "eth1" && !duplicate);
    expect(own.length).toBeGreaterThan(0);
    expect(own.at(-1)?.lastNs).toBe(29.9 * SECOND);
    expect(sink.records.filter(({ device, duplicate }) => device === "eth1" && duplicate).length).toBeGreaterThan(0);
  });
});
