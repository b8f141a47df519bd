import { batchOf } from "../test/batches.ts";
import { ipFlow } from "../test/flow-id.ts";
import { Terminal } from "../test/terminal.ts";
import { FlowTable } from "./flow-table.ts";
import { LiveView } from "./live-view.ts";
import type { ReportOptions } from "./reporter.ts";

const SECOND = 1e9;

function build(report: Partial<ReportOptions> = {}, flows = 40) {
  const terminal = new Terminal(80, 24);
  const table = new FlowTable({
    device: "eth0",
    limit: 1000,
    activeTimeoutNs: 5 * SECOND,
    idleTimeoutNs: 15 * SECOND,
    readEveryNs: SECOND,
    baseNs: 0n,
  });
  let press: (key: string) => void = () => undefined;
  let resized: () => void = () => undefined;
  const events: string[] = [];
  const view = new LiveView({
    report: {
      format: "table",
      intervalTotals: false,
      top: undefined,
      sort: "bytes",
      bytes: "l2",
      biflow: false,
      dedup: false,
      manyDevices: false,
      wallNs: (ns) => BigInt(ns),
      ...report,
    },
    title: "eth0",
    styled: true,
    screen: {
      get columns() {
        return terminal.columns;
      },
      get rows() {
        return terminal.rows;
      },
      write: (text) => terminal.write(text),
      onResize: (listener) => {
        resized = listener;
      },
    },
    keyboard: {
      onKey: (listener) => {
        press = listener;
      },
      close: () => events.push("keyboard closed"),
    },
    onQuit: () => events.push("quit"),
  });
  const counts = (i: number) => ({ packets: BigInt(100 - i), l2_bytes: BigInt(1000 + i), l3_bytes: BigInt(900 + i) });
  const ids = Array.from({ length: flows }, (_, i) => ipFlow(17, `10.0.0.${i + 1}:1000`, `10.0.1.${flows - i}:53`));
  table.absorb(batchOf(ids.map((id, i) => [id, counts(i)])));
  view.show([table], SECOND);
  const resize = (columns: number, rows: number) => {
    terminal.resize(columns, rows);
    resized();
  };
  return { terminal, table, view, press: (key: string) => press(key), resize, events };
}

test("fills 80 by 24 and no more: title, headings, rows, keys", () => {
  const { terminal } = build();
  expect(terminal.text[0]).toBe("tcflows eth0: 40 rows, 3220 packets, 39.82 KiB since the start");
  expect(terminal.text[1]).toBe("PROTOCOL SOURCE                DESTINATION           PACKETS BYTES");
  expect(terminal.text[2]).toBe("UDP      10.0.0.40:1000        10.0.1.1:53           61      1.01 KiB");
  expect(terminal.text[22]).toMatch(/^UDP/);
  expect(terminal.text[23]).toBe("b bytes  p packets  s source  d destination  t newest  q quit  [bytes]");
  expect(terminal.scrolled).toBe(0);
});

test.each([
  ["p", /10\.0\.0\.1:1000/],
  ["s", /10\.0\.0\.1:1000/],
  ["d", /10\.0\.1\.1:53/],
  ["b", /10\.0\.0\.40:1000/],
])("the key %s sorts", (key, first) => {
  const { terminal, press } = build();
  press("p");
  press(key);
  expect(terminal.text[2]).toMatch(first);
});

test.each([
  [60, 10],
  [200, 50],
  [20, 4],
  [80, 1],
  [1, 1],
])("survives a change of size to %d by %d", (columns, rows) => {
  const { terminal, resize } = build();
  resize(columns, rows);
  expect(terminal.scrolled).toBe(0);
  expect(terminal.text).toHaveLength(rows);
  expect(terminal.text[0]).toBe(
    "tcflows eth0: 40 rows, 3220 packets, 39.82 KiB since the start".slice(0, columns).trimEnd(),
  );
  resize(80, 24);
  expect(terminal.text[23]).toMatch(/^b bytes/);
  expect(terminal.text[2]).toMatch(/10\.0\.0\.40/);
});

test("rows that are gone leave nothing behind", () => {
  const { terminal, view } = build();
  view.show([], 2 * SECOND);
  expect(terminal.text.slice(2, 23)).toEqual(new Array(21).fill(""));
});

test("q and Ctrl-C ask for the end; then the terminal is as before, with the last table on it", () => {
  const { terminal, press, view, events } = build({ top: 2 });
  press("q");
  press("\u0003");
  view.close();
  view.close();
  press("p");
  expect(events).toEqual(["quit", "quit", "keyboard closed"]);
  expect(terminal.alternate).toBe(false);
  expect(terminal.text.filter(Boolean).map((line) => line.slice(0, 30).trimEnd())).toEqual([
    "PROTOCOL SOURCE",
    "UDP      10.0.0.40:1000",
    "UDP      10.0.0.39:1000",
  ]);
});
