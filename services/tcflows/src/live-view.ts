import { connectionLines } from "./connection-text.ts";
import { flowLines } from "./flow-lines.ts";
import type { FlowView } from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import { type Reporter, type ReportOptions, rowMaker } from "./reporter.ts";
import { type Row, type RowMaker, rowBytes, type SortKey, sortRows } from "./rows.ts";
import { formatBytes } from "./units.ts";

/** A terminal to draw on. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
  /** Calls `listener` when the size has changed. */
  onResize(listener: () => void): void;
}

/** Keys that the user presses, one character each. */
export interface Keyboard {
  onKey(listener: (key: string) => void): void;
  close(): void;
}

/** What the view needs. */
export interface LiveViewOptions {
  readonly report: ReportOptions;
  readonly title: string;
  readonly screen: Screen;
  readonly keyboard: Keyboard;
  /** Bold and inverse text. */
  readonly styled: boolean;
  readonly onQuit: () => void;
}

const SORT_KEYS: Readonly<Record<string, SortKey>> = {
  b: "bytes",
  p: "packets",
  s: "source",
  d: "destination",
  t: "start",
};
const CTRL_C = "\u0003";
const HELP = "b bytes  p packets  s source  d destination  t newest  q quit";
/** Title, headings and help. */
const OTHER_LINES = 3;

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_REST = "\u001b[J";

/** Shows the table in place, as much of it as the terminal holds; sorts it by a key press. */
export class LiveView implements Reporter {
  readonly #options: LiveViewOptions;
  readonly #maker: RowMaker;
  #sort: SortKey;
  #rows: readonly Row[] = [];
  #closed = false;

  constructor(options: LiveViewOptions) {
    this.#options = options;
    this.#maker = rowMaker(options.report);
    this.#sort = options.report.sort;
    const { screen, keyboard } = options;
    screen.write(ENTER);
    screen.onResize(() => this.#draw());
    keyboard.onKey((key) => this.#pressed(key));
    this.#draw();
  }

  ended(sinceShown: FlowView, sinceStart: FlowView): void {
    this.#maker.ended(sinceShown, sinceStart);
  }

  show(tables: readonly FlowTable[], readNs: number): void {
    this.#rows = this.#maker.take(tables, readNs);
    this.#draw();
  }

  /** Gives the terminal back and leaves the last table on it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { screen, keyboard, report } = this.#options;
    keyboard.close();
    screen.write(LEAVE);
    screen.write(`${this.#lines(sortRows(this.#rows, this.#sort, report.bytes, report.top)).join("\n")}\n`);
  }

  #pressed(key: string): void {
    if (key === "q" || key === CTRL_C) this.#options.onQuit();
    const sort = SORT_KEYS[key];
    if (sort === undefined) return;
    this.#sort = sort;
    this.#draw();
  }

  #draw(): void {
    if (this.#closed) return;
    const { screen, report } = this.#options;
    const room = Math.max(0, screen.rows - OTHER_LINES);
    const top = Math.min(report.top ?? room, room);
    const body = this.#lines(sortRows(this.#rows, this.#sort, report.bytes, top)).slice(0, room + 1);
    const filled = [this.#title(), ...body, ...new Array<string>(Math.max(0, room + 1 - body.length)).fill("")];
    const lines = [...filled, `${HELP}  [${this.#sort}]`].slice(0, screen.rows);
    const cut = lines.map((line) => line.slice(0, screen.columns));
    const drawn = cut.map((line, i) => this.#styled(line, i === 0 || i + 1 === lines.length) + CLEAR_LINE);
    screen.write(HOME + drawn.join("\r\n") + CLEAR_REST);
  }

  #styled(line: string, inverse: boolean): string {
    return this.#options.styled && inverse ? `\u001b[7m${line}\u001b[0m` : line;
  }

  #title(): string {
    const { report, title } = this.#options;
    const packets = this.#rows.reduce((sum, row) => sum + row.packets + row.back.packets, 0);
    const bytes = this.#rows.reduce((sum, row) => sum + rowBytes(row, report.bytes), 0);
    const since = report.intervalTotals ? "since the last table" : "since the start";
    return `tcflows ${title}: ${this.#rows.length} rows, ${packets} packets, ${formatBytes(bytes)} ${since}`;
  }

  #lines(rows: readonly Row[]): string[] {
    const { report } = this.#options;
    return report.format === "connections"
      ? rows.flatMap((row) => connectionLines(row, report))
      : flowLines(rows, report);
  }
}

/** The terminal on standard output. */
export function stdoutScreen(): Screen {
  const { stdout } = process;
  return {
    get columns() {
      return stdout.columns ?? 80;
    },
    get rows() {
      return stdout.rows ?? 24;
    },
    write: (text) => void stdout.write(text),
    onResize: (listener) => void stdout.on("resize", listener),
  };
}

/** The keys of the terminal on standard input; none where it is no terminal. */
export function stdinKeyboard(): Keyboard {
  const { stdin } = process;
  if (!stdin.isTTY) return { onKey() {}, close() {} };
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  return {
    onKey: (listener) => {
      stdin.on("data", (text: string) => {
        for (const key of text) listener(key);
      });
    },
    close: () => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.removeAllListeners("data");
    },
  };
}
