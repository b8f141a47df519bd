import { batchOf } from "../test/batches.ts";
import { idOfKey, ipFlow } from "../test/flow-id.ts";
import { viewOf } from "../test/views.ts";
import type { FlowView } from "./flow-record.ts";
import { FlowTable } from "./flow-table.ts";
import { flowRowKey, type Row, RowMaker, type RowOptions, sortRows, tableKey } from "./rows.ts";

const REQUEST = ipFlow(6, "10.0.0.1:4000", "10.0.0.2:80");
const ANSWER = ipFlow(6, "10.0.0.2:80", "10.0.0.1:4000", { direction: 1 });
const PING = ipFlow(1, "10.0.0.1:0", "10.0.0.2:0", { icmp_type: 8, icmp_id: 7 });
const PONG = ipFlow(1, "10.0.0.2:0", "10.0.0.1:0", { icmp_type: 0, icmp_id: 7, direction: 1 });

function makerOf(options: Partial<RowOptions> = {}): RowMaker {
  const rest = { since: "start", biflow: false, dedup: false, keepEnded: true, showEnds: false } as const;
  return new RowMaker({ ...rest, keyOf: flowRowKey, ...options });
}

/** A flow that has ended. */
const over = (id: string, more: Partial<FlowView> = {}) => viewOf(id, { end: "fin", ...more });

/** Source port or ICMP type, packets there and back, flows that go on. */
const seen = (rows: readonly Row[]) => rows.map(({ id, packets, back, open }) => [id, packets, back.packets, open]);

function tableWith(ids: readonly string[], packets = 5): FlowTable {
  const times = { activeTimeoutNs: 5e9, idleTimeoutNs: 15e9, readEveryNs: 1e9, baseNs: 0n };
  const table = new FlowTable({ device: "eth0", limit: 100, ...times });
  table.absorb(
    batchOf(ids.map((id, i) => [id, { packets: BigInt(packets), first_ns: BigInt(i), last_ns: BigInt(i) }])),
  );
  return table;
}

test("both directions are one row, which goes the way of the one that began, whichever is seen first", () => {
  for (const order of [
    [viewOf(REQUEST, { startNs: 1, packets: 3 }), viewOf(ANSWER, { startNs: 2, packets: 4 })],
    [viewOf(ANSWER, { startNs: 2, packets: 4 }), viewOf(REQUEST, { startNs: 1, packets: 3 })],
  ]) {
    const maker = makerOf({ biflow: true });
    for (const view of order) maker.ended({ ...view, end: "fin" }, { ...view, end: "fin" });
    expect(seen(maker.take([], 0))).toEqual([[REQUEST, 3, 4, 0]]);
  }
});

test("a ping and its answers are one; what is not IP has no answers", () => {
  const maker = makerOf({ biflow: true });
  const arp = idOfKey({ ether_type: 0x806 });
  expect(seen(maker.take([tableWith([PING, PONG, arp])], 10))).toEqual([
    [PING, 5, 5, 2],
    [arp, 5, 0, 1],
  ]);
});

test("several connections between the same ports add up in both directions", () => {
  const maker = makerOf({ biflow: true });
  for (const start of [1, 11]) {
    maker.ended(over(REQUEST, { startNs: start }), over(REQUEST, { startNs: start }));
    maker.ended(over(ANSWER, { startNs: start + 1 }), over(ANSWER, { startNs: start + 1 }));
  }
  expect(seen(maker.take([tableWith([ANSWER])], 10))).toEqual([[ANSWER, 19, 14, 1]]);
});

test("the table has a row for what looks alike, and another for each interface where there are several", () => {
  const tagged = ipFlow(1, "10.0.0.1:0", "10.0.0.2:0", { icmp_type: 8, icmp_id: 9, vlan_id: 3 });
  const tables = [tableWith([PING, tagged]), tableWith([PING])];
  const rows = makerOf({ keyOf: tableKey(false) }).take(tables, 10);
  expect(rows.map(({ packets }) => packets)).toEqual([15]);
  const views = [viewOf(PING, { device: "eth0" }), viewOf(PING, { device: "eth1" })];
  const maker = makerOf({ keyOf: tableKey(true) });
  for (const view of views) maker.ended(view, view);
  expect(maker.take([], 0).map(({ device }) => device)).toEqual(["eth0", "eth1"]);
});

test("ended flows stay in the sums of all time, and go after an interval's", () => {
  for (const [keepEnded, again] of [
    [true, [[REQUEST, 7, 0, 0]]],
    [false, []],
  ] as const) {
    const maker = makerOf({ keepEnded });
    maker.ended(over(REQUEST), over(REQUEST));
    expect(seen(maker.take([], 0))).toHaveLength(1);
    expect(seen(maker.take([], 0))).toEqual(again);
  }
});

test("the end of a flow is a row where ends are shown, although nothing passed", () => {
  for (const [showEnds, count] of [
    [true, 1],
    [false, 0],
  ] as const) {
    const maker = makerOf({ since: "shown", showEnds });
    maker.ended(over(REQUEST, { packets: 0, l3Bytes: 0, l2Bytes: 0, end: "fin" }), over(REQUEST, { end: "fin" }));
    expect(maker.take([], 0)).toHaveLength(count);
  }
});

test("ended flows beyond the bound are one row together, so that nothing is missing", () => {
  const maker = makerOf({ maxEnded: 100 });
  for (let i = 1; i <= 110; i++)
    maker.ended(
      over(ipFlow(17, `10.0.0.1:${i}`, "10.0.0.2:2"), { packets: 2 }),
      over(ipFlow(17, `10.0.0.1:${i}`, "10.0.0.2:2"), { packets: 2 }),
    );
  const rows = maker.take([], 0);
  expect(rows.reduce((sum, { packets }) => sum + packets, 0)).toBe(220);
  expect(rows.filter(({ id }) => id === undefined).map(({ packets }) => packets)).toEqual([20]);
  expect(rows).toHaveLength(101);
});

test("duplicates are left out", () => {
  const maker = makerOf({ dedup: true });
  const view = viewOf(REQUEST, { duplicate: true });
  maker.ended(view, view);
  expect(maker.take([], 0)).toEqual([]);
});

test("sorting by source is by the number, not by its text", () => {
  const ids = ["10.0.0.10:1", "10.0.0.9:1", "10.0.0.9:300"].map((end) => ipFlow(17, end, "10.0.0.2:2"));
  const rows = makerOf().take([tableWith(ids)], 10);
  expect(sortRows(rows, "source", "l2", undefined).map(({ id }) => id)).toEqual([ids[1], ids[2], ids[0]]);
});
