import type { Summary } from "../stats/summary.ts";
import { milliseconds } from "./units.ts";

/** One line: what the one-way delays of a summary are worth. Undefined without any. */
export function oneWayNote(summary: Summary): string | undefined {
  const error = `±${milliseconds(summary.errorBar.errorNs)} ms`;
  switch (summary.trust) {
    case "no-answers":
      return undefined;
    case "trusted":
      return `One-way figures: both clocks are synchronised, error ${error}`;
    case "error-unknown":
      return "One-way figures: not trustworthy, a clock does not say how far it may be off";
    case "contradicted":
      return `One-way figures: not trustworthy, below zero by more than the error that the clocks admit (${error})`;
    case "clock-set":
      return "One-way figures: not trustworthy, the clock of this host was set meanwhile";
    case "unsynchronised":
      return `One-way figures: not trustworthy, clocks are not synchronised (${offset(summary.clockOffsetNs)})`;
  }
}

function offset(offsetNs: number | undefined): string {
  if (offsetNs === undefined) return "offset not known";
  const sign = offsetNs < 0 ? "−" : "+";
  return `the reflector's is at ${sign}${milliseconds(Math.abs(offsetNs))} ms if both ways take as long`;
}
