import { LossReason, LossVerdict } from "@waymark/proto/query";
import { type LossRow, reasonName, verdictName } from "./verdict.ts";

/** How a printed line looks. */
export interface LineStyle {
  /** End with path and flow. */
  readonly named: boolean;
  /** The block has been printed before. */
  readonly revised: boolean;
  readonly colour: boolean;
}

// INVALID for these, the counters are whole and the number is shown all the same.
const SHOWN = new Set([LossReason.CLOCK, LossReason.NEGATIVE, LossReason.FRAGMENTED_ON_PATH, LossReason.OVERFLOW]);
const PLAIN_NAME = /^[\w.:/@>-]+$/;
const RED = "\u001b[31m";
const YELLOW = "\u001b[33m";
const RESET = "\u001b[0m";
const NS_PER_MS = 1_000_000n;

/** One line for one flow of one decided block, without the line's end: `[2020-09-20 08:08:20] loss=0`. */
export function formatLossLine(row: LossRow, style: LineStyle): string {
  const shown =
    row.verdict === LossVerdict.COMPLETE ||
    (row.verdict === LossVerdict.INVALID && row.numbered && row.reasons.every((r) => SHOWN.has(r)));
  const loss = coloured(`loss=${shown ? row.lostPackets : "?"}`, shown, row.lostPackets, style.colour);
  const parts = [`[${localTime(row.startNs)}]`, loss];
  const why = explanation(row);
  if (why !== "") parts.push(`(${why})`);
  if (style.revised) parts.push("(revised)");
  if (style.named) parts.push(`path=${name(row.path)}`, `flow=${name(row.flow)}`);
  return parts.join(" ");
}

function explanation({ verdict, reasons }: LossRow): string {
  if (verdict === LossVerdict.COMPLETE) return "";
  const words = verdictName(verdict).replaceAll("_", " ");
  if (verdict !== LossVerdict.INVALID) return words;
  return `${words}: ${reasons.map(reasonName).join(", ")}`;
}

function coloured(text: string, shown: boolean, lost: bigint, colour: boolean): string {
  if (!colour || (shown && lost === 0n)) return text;
  return `${shown ? RED : YELLOW}${text}${RESET}`;
}

function name(text: string): string {
  return PLAIN_NAME.test(text) ? text : JSON.stringify(text);
}

/** Local time as `2020-09-20 08:08:20`, with milliseconds when there are any. */
export function localTime(ns: bigint): string {
  const time = new Date(Number(ns / NS_PER_MS));
  const two = (value: number) => value.toString().padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const ms = time.getMilliseconds();
  return ms === 0 ? `${day} ${clock}` : `${day} ${clock}.${ms.toString().padStart(3, "0")}`;
}
