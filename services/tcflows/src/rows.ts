import { type FlowId, reverseId } from "./flow-key.ts";
import type { Counts, EndReason, FlowView } from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";

/** One line of a report: a flow, several that look alike, or both directions of a connection. */
export interface Row extends Counts {
  /** The flow, or one of those that look alike; of a connection the direction that began. Undefined: flows that ended long ago. */
  readonly id: FlowId | undefined;
  readonly device: string;
  /** The other direction, where both are one. */
  readonly back: Counts;
  /** In nanoseconds since the agent's start. */
  readonly startNs: number;
  readonly lastNs: number;
  readonly tcpFlags: number;
  /** Flows of this row that go on. */
  readonly open: number;
  /** Of the flow that ended last. */
  readonly end: EndReason | undefined;
  /** The flow (of a connection: one of its two) as it was seen last. */
  readonly view: FlowView | undefined;
}

/** What makes one row. */
export interface RowOptions {
  /** Since the start, or since the last report. */
  readonly since: "start" | "shown";
  /** Both directions of a connection are one row. */
  readonly biflow: boolean;
  /** Leave out what another interface counts. */
  readonly dedup: boolean;
  /** Ended flows stay, so that the sums are those of all time. */
  readonly keepEnded: boolean;
  /** The end of a flow is a row, although nothing passed since the last report. */
  readonly showEnds: boolean;
  /** Rows of ended flows that are kept; the oldest beyond are added up in one. Default 65 536. */
  readonly maxEnded?: number;
  /** What flows of one row have in common. */
  readonly keyOf: (id: FlowId, device: string) => string;
}

/** Some 30 MB. */
const MAX_ENDED_ROWS = 65_536;

const NOTHING: Counts = { packets: 0, l3Bytes: 0, l2Bytes: 0 };

/** Makes the rows of a report of what flow tables hold and of what has ended meanwhile. */
export class RowMaker {
  readonly #options: RowOptions;
  readonly #ended = new Map<string, Row>();
  #older: Row | undefined;

  constructor(options: RowOptions) {
    this.#options = options;
  }

  /** A flow has ended. */
  ended(sinceShown: FlowView, sinceStart: FlowView): void {
    this.#add(this.#ended, this.#options.since === "shown" ? sinceShown : sinceStart);
    if (this.#ended.size <= (this.#options.maxEnded ?? MAX_ENDED_ROWS)) return;
    const [oldest] = this.#ended;
    if (!oldest) return;
    this.#ended.delete(oldest[0]);
    this.#older = merge(this.#older ?? { ...oldest[1], ...NOTHING, back: NOTHING, id: undefined }, oldest[1]);
  }

  /** The rows now, in no particular order. Where nothing passed there is no row. */
  take(tables: Iterable<FlowTable>, readNs: number): Row[] {
    const rows = new Map(this.#ended);
    for (const table of tables) for (const view of table.views(this.#options.since, readNs)) this.#add(rows, view);
    const older = this.#older;
    if (!this.#options.keepEnded) {
      this.#ended.clear();
      this.#older = undefined;
    }
    const all = [...rows.values(), ...(older ? [older] : [])];
    const { showEnds } = this.#options;
    return all.filter((row) => row.packets + row.back.packets > 0 || (showEnds && row.open === 0));
  }

  #add(rows: Map<string, Row>, view: FlowView): void {
    const { dedup, biflow, keyOf } = this.#options;
    if (dedup && view.duplicate) return;
    const forward = keyOf(view.id, view.device);
    const reverse = biflow ? reverseId(view.id) : undefined;
    const backward = reverse === undefined ? forward : keyOf(reverse, view.device);
    const key = backward < forward ? backward : forward;
    const before = rows.get(key);
    if (before === undefined) rows.set(key, rowOf(view));
    else if (biflow && !this.#sameWay(before, forward)) rows.set(key, meet(before, rowOf(view)));
    else rows.set(key, merge(before, rowOf(view)));
  }

  #sameWay({ id, device }: Row, key: string): boolean {
    return id !== undefined && this.#options.keyOf(id, device) === key;
  }
}

/** Written out: there may be a million of them. */
function rowOf(view: FlowView): Row {
  return {
    id: view.id,
    device: view.device,
    packets: view.packets,
    l3Bytes: view.l3Bytes,
    l2Bytes: view.l2Bytes,
    back: NOTHING,
    startNs: view.startNs,
    lastNs: view.lastNs,
    tcpFlags: view.tcpFlags,
    open: view.end === undefined ? 1 : 0,
    end: view.end,
    view,
  };
}

/** Both together, the same way round. */
function merge(a: Row, b: Row): Row {
  return { ...a, ...sum(a, b), back: sum(a.back, b.back), ...together(a, b) };
}

/** Two directions of one connection: it goes the way of the one that began. */
function meet(a: Row, b: Row): Row {
  const [first, answer] = b.startNs < a.startNs ? [b, a] : [a, b];
  return { ...first, ...sum(first, answer.back), back: sum(first.back, answer), ...together(first, answer) };
}

function together(a: Row, b: Row): Pick<Row, "startNs" | "lastNs" | "tcpFlags" | "open" | "end"> {
  return {
    startNs: Math.min(a.startNs, b.startNs),
    lastNs: Math.max(a.lastNs, b.lastNs),
    tcpFlags: a.tcpFlags | b.tcpFlags,
    open: a.open + b.open,
    end: b.lastNs >= a.lastNs ? (b.end ?? a.end) : (a.end ?? b.end),
  };
}

function sum(a: Counts, b: Counts): Counts {
  return { packets: a.packets + b.packets, l3Bytes: a.l3Bytes + b.l3Bytes, l2Bytes: a.l2Bytes + b.l2Bytes };
}

/** What the columns of the table tell apart: protocol, addresses and ports, and the interface where there are several. */
export function tableKey(manyDevices: boolean): RowOptions["keyOf"] {
  return (id, device) => id.slice(0, 37) + id.slice(40, 42) + id.charAt(46) + (manyDevices ? device : "");
}

/** Every flow by itself. */
export function flowRowKey(id: FlowId, device: string): string {
  return id + device;
}

/** What rows are sorted by, the most first. */
export const sortKeys = ["bytes", "packets", "source", "destination", "start"] as const;

/** See `sortKeys`. */
export type SortKey = (typeof sortKeys)[number];

/** Which bytes are shown: of frames (without FCS), or of IP packets. */
export type ByteKind = "l2" | "l3";

/** Bytes of both directions. */
export function rowBytes(row: Row, kind: ByteKind): number {
  return kind === "l2" ? row.l2Bytes + row.back.l2Bytes : row.l3Bytes + row.back.l3Bytes;
}

/** The rows in order, `top` at most; equal ones stay as they are. */
export function sortRows(rows: readonly Row[], by: SortKey, bytes: ByteKind, top: number | undefined): Row[] {
  const sorted = rows.toSorted(comparison(by, bytes));
  return top === undefined ? sorted : sorted.slice(0, top);
}

function comparison(by: SortKey, bytes: ByteKind): (a: Row, b: Row) => number {
  switch (by) {
    case "bytes":
      return (a, b) => rowBytes(b, bytes) - rowBytes(a, bytes);
    case "packets":
      return (a, b) => b.packets + b.back.packets - (a.packets + a.back.packets);
    case "start":
      return (a, b) => b.startNs - a.startNs;
    case "source":
      return (a, b) => compareText(endOf(a, 0, 32), endOf(b, 0, 32));
    case "destination":
      return (a, b) => compareText(endOf(a, 16, 34), endOf(b, 16, 34));
  }
}

/** Address and port of an end, as text that compares like the numbers. */
function endOf({ id = "" }: Row, addressAt: number, portAt: number): string {
  return id.slice(addressAt, addressAt + 16) + id.slice(portAt, portAt + 2);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
