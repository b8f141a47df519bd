import { CommandError } from "@waymark/agent";
import { histogramProblem, LinearHistogram } from "./report/linear-histogram.ts";

/** The histogram of `--hist BINS MIN MAX`, if one is wanted. @throws CommandError for one that cannot be */
export function requestedHistogram({
  hist,
}: {
  readonly hist: readonly number[] | undefined;
}): LinearHistogram | undefined {
  if (!hist) return undefined;
  const [bins = 0, minMs = 0, maxMs = 0] = hist;
  const problem = histogramProblem({ bins, minMs, maxMs });
  if (problem !== undefined) throw new CommandError(`--hist: ${problem}`);
  return new LinearHistogram({ bins, minMs, maxMs });
}
