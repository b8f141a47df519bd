import type { Display } from "./config-file.ts";
import { flowTable } from "./flow-table.ts";
import type { Interval } from "./interval.ts";
import { jitterJsonLines, jsonLines } from "./json-lines.ts";
import type { SequenceHistory } from "./sequence-history.ts";
import { jitterLines, rateLines, sequenceLines } from "./text-lines.ts";

/** What and how is printed. */
export interface PrintOptions {
  readonly format: "text" | "jsonl";
  readonly bits: boolean;
  readonly loss: boolean;
  readonly top: number;
  /** The jitter has an interval of its own. */
  readonly ownJitter: boolean;
  readonly testThroughput: boolean;
  readonly testJitter: boolean;
  /** The output is a terminal: the page is drawn anew. */
  readonly live: boolean;
}

/** Cursor home, erase the screen. */
const NEW_PAGE = "\u001b[H\u001b[2J";

/** Prints intervals on standard output. */
export class Printer {
  readonly #options: PrintOptions;
  readonly #write: (text: string) => void;
  readonly #history: SequenceHistory;
  #display: Display;
  #jitter: readonly string[] = [];

  constructor(options: PrintOptions, display: Display, history: SequenceHistory, write: (text: string) => void) {
    this.#options = options;
    this.#display = display;
    this.#history = history;
    this.#write = write;
  }

  /** Shows these figures from now on. */
  setDisplay(display: Display): void {
    this.#display = display;
  }

  /** An interval of throughput and all else. */
  interval(interval: Interval): void {
    const { format, ownJitter, testThroughput, testJitter, live } = this.#options;
    if (format === "jsonl") {
      this.#print(jsonLines(interval));
      return;
    }
    const options = { ...this.#options, display: this.#display };
    const jitter = ownJitter ? (live ? this.#jitter : []) : jitterLines(interval, options);
    if (testThroughput || testJitter) {
      const rates = testThroughput ? rateLines(interval, options) : [];
      this.#print([...rates, ...(testJitter ? jitter : [])]);
      return;
    }
    const numbers = sequenceLines(interval, (name) => this.#history.total(name), options);
    const lines = [...rateLines(interval, options), ...jitter, ...numbers, ...this.#table(interval)];
    this.#print(live ? [`${NEW_PAGE}${lines[0] ?? ""}`, ...lines.slice(1)] : lines);
  }

  /** An interval of the jitter alone. */
  jitter(interval: Interval): void {
    const { format, live, testThroughput, testJitter } = this.#options;
    if (testThroughput && !testJitter) return;
    const isText = format === "text";
    if (isText) this.#jitter = jitterLines(interval, { display: this.#display });
    if (!isText || !live) this.#print(isText ? this.#jitter : jitterJsonLines(interval));
  }

  #table(interval: Interval): readonly string[] {
    const { bits, loss, top } = this.#options;
    if (top === 0) return [];
    return flowTable(interval, { bits, loss, top, since: ({ key }) => this.#history.flow(key) });
  }

  #print(lines: readonly string[]): void {
    if (lines.length > 0) this.#write(`${lines.join("\n")}\n`);
  }
}
