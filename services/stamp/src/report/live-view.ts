import { blockLines } from "./block.ts";
import { oneWayNote } from "./one-way-note.ts";
import type { SessionView } from "./session-view.ts";
import { milliseconds, percent } from "./units.ts";

/** As many sessions are shown; the rest is counted. */
const MOST_SESSIONS = 16;
const CURSOR_UP = (lines: number) => `\u001b[${lines}F`;
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** Redraws a few lines on a terminal in their place: a block for one session, a table for several (delays in ms). */
export class LiveView {
  #drawn = 0;

  /** What to write for the newest figures. @param columns width of the terminal: longer lines would wrap, and be cut */
  frame(sessions: readonly SessionView[], columns: number): string {
    const [only] = sessions;
    const lines = sessions.length === 1 && only !== undefined ? oneSession(only) : manySessions(sessions);
    const back = this.#drawn > 0 ? CURSOR_UP(this.#drawn) : "";
    this.#drawn = lines.length;
    return `${back}${lines.map((line) => `${line.slice(0, Math.max(1, columns))}${CLEAR_LINE}\n`).join("")}${CLEAR_BELOW}`;
  }
}

function oneSession({ summary }: SessionView): readonly string[] {
  const note = oneWayNote(summary);
  return note === undefined ? blockLines(summary) : [...blockLines(summary), note];
}

const HOST_WIDTH = 24;

function manySessions(sessions: readonly SessionView[]): readonly string[] {
  const title = [
    "HOST".padEnd(HOST_WIDTH),
    ...["SENT", "LOST", "LOSS %", "RTT P50", "RTT P99", "NEAR P50", "FAR P50"].map((name) => name.padStart(10)),
  ].join("");
  const rows = sessions.slice(0, MOST_SESSIONS).map(({ host, summary }) => {
    const doubt = summary.trust === "trusted" || summary.trust === "no-answers" ? "" : "?";
    const oneWay = (ns: number | undefined) => (ns === undefined ? "-" : `${milliseconds(ns)}${doubt}`);
    return [
      host.slice(0, HOST_WIDTH - 1).padEnd(HOST_WIDTH),
      ...[
        String(summary.sent),
        String(summary.lost),
        percent(summary.lossRatio),
        milliseconds(summary.roundTrip.histogram.percentile(50)),
        milliseconds(summary.roundTrip.histogram.percentile(99)),
        oneWay(summary.forward.histogram.percentile(50)),
        oneWay(summary.backward.histogram.percentile(50)),
      ].map((cell) => cell.padStart(10)),
    ].join("");
  });
  const hidden = sessions.length - rows.length;
  return [title, ...rows, ...(hidden > 0 ? [`and ${hidden} more`] : [])];
}
