import { writeFileSync } from "node:fs";
import { tlvsJson, tlvsText } from "./answer-tlvs.ts";
import type { ReplyTlvs } from "./codec/reply-tlv.ts";
import type { SenderOptions } from "./options.ts";
import { answerLine } from "./report/answer-line.ts";
import { answerJson, summaryJson } from "./report/json-lines.ts";
import type { LinearHistogram } from "./report/linear-histogram.ts";
import { LiveView } from "./report/live-view.ts";
import type { SessionView } from "./report/session-view.ts";
import { summaryText } from "./report/summary-text.ts";
import { milliseconds } from "./report/units.ts";
import { requestedHistogram } from "./requested-histogram.ts";
import type { Answer } from "./stats/answer.ts";
import type { DelayMetric } from "./stats/delay-metric.ts";
import type { AnswerVerdict } from "./stats/session-stats.ts";
import type { Summary } from "./stats/summary.ts";
import type { Terminal } from "./surroundings.ts";
import type { SendError } from "./test-session.ts";

/** Above so many answers a second not every one gets a line, unless asked for by --samples. */
const MAX_LINES_PER_S = 100;
/** How often a terminal is drawn anew. */
const REDRAW_NS = 200_000_000n;

/** What a sender shows while it measures and at the end. */
export class SenderOutput {
  readonly #terminal: Terminal;
  readonly #options: SenderOptions;
  readonly #live: LiveView | undefined;
  readonly #everyAnswer: boolean;
  readonly #histogram: LinearHistogram | undefined;
  #drawnNs = 0n;

  /** @throws CommandError for a histogram that cannot be */
  constructor(options: SenderOptions, terminal: Terminal) {
    this.#terminal = terminal;
    this.#options = options;
    const isText = options.format === "text";
    this.#live = isText && terminal.isTty ? new LiveView() : undefined;
    const perSecond = (options.host.length * 1e9) / Number(options.interval);
    this.#everyAnswer = options.samples || (isText && perSecond <= MAX_LINES_PER_S);
    this.#histogram = requestedHistogram(options);
  }

  /** An answer. */
  answer(session: SessionView, octets: number, answer: Answer, verdict: AnswerVerdict): void {
    if (verdict.delays) this.#histogram?.add(verdict.delays.roundTripNs);
    if (!this.#everyAnswer || this.#live) return;
    const { host, summary } = session;
    this.#line(
      this.#options.format === "jsonl"
        ? answerJson(session, answer, verdict)
        : answerLine(host, octets, answer, verdict, summary.trust),
    );
  }

  /** What the TLVs of an answer say. */
  tlvs({ host }: SessionView, sequence: number, tlvs: ReplyTlvs): void {
    if (this.#live) return;
    this.#line(this.#options.format === "jsonl" ? tlvsJson(host, sequence, tlvs) : tlvsText(host, sequence, tlvs));
  }

  /** An interval whose packets all have their fate. */
  interval(session: SessionView, interval: Summary): void {
    if (this.#options.format === "jsonl") this.#line(summaryJson("interval", session, interval));
    else if (!this.#live && !this.#everyAnswer) this.#line(intervalLine(session, interval));
  }

  /** Draws the live view anew, if there is one and it is time. */
  refresh(sessions: readonly SessionView[], nowNs: bigint): void {
    if (!this.#live || nowNs - this.#drawnNs < REDRAW_NS) return;
    this.#drawnNs = nowNs;
    this.#terminal.write(this.#live.frame(sessions, this.#terminal.columns));
  }

  /**
   * The summaries, and the file of --hist.
   *
   * @param sendErrors how far from their time packets left, by session
   */
  end(sessions: readonly SessionView[], sendErrors: readonly (SendError | undefined)[]): void {
    for (const session of sessions) {
      this.#line(
        this.#options.format === "jsonl" ? summaryJson("summary", session, session.summary) : summaryText(session),
      );
    }
    if (this.#options.format === "text") this.#sendErrors(sendErrors.filter((error) => error !== undefined));
    if (this.#histogram) writeFileSync(this.#options.histpath, this.#histogram.line());
  }

  #sendErrors(errors: readonly SendError[]): void {
    if (errors.length === 0) return;
    const mean = errors.reduce((sum, { meanNs }) => sum + meanNs, 0) / errors.length;
    const max = Math.max(...errors.map(({ maxNs }) => maxNs));
    this.#line(
      `Packets left ${milliseconds(mean)} ms from their time on average, ${milliseconds(max)} ms at most (in no figure).`,
    );
  }

  #line(text: string): void {
    this.#terminal.write(`${text}\n`);
  }
}

/** An interval in one line, where answers have none. */
function intervalLine(
  { host }: SessionView,
  { sent, received, lost, roundTrip, forward, backward, trust }: Summary,
): string {
  const doubt = trust === "trusted" ? "" : "?";
  const middle = (metric: DelayMetric) => milliseconds(metric.histogram.percentile(50));
  const delays = `rtt p50=${middle(roundTrip)} p99=${milliseconds(roundTrip.histogram.percentile(99))}`;
  const oneWay = `forward p50=${middle(forward)}${doubt} backward p50=${middle(backward)}${doubt} ms`;
  return `${host}: sent=${sent} received=${received} lost=${lost} ${delays} ${oneWay}`;
}
