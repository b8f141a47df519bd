const NS_PER_MS = 1e6;

/** Bins of `--hist`, in milliseconds. */
export interface HistogramSpec {
  /** All of them, the two of outliers included. */
  readonly bins: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** As many bins as a line can hold with sense. */
export const HISTOGRAM_BINS = { fewest: 3, most: 10_000 } as const;

/** What is wrong with bins, or nothing. */
export function histogramProblem({ bins, minMs, maxMs }: HistogramSpec): string | undefined {
  const { fewest, most } = HISTOGRAM_BINS;
  if (!Number.isInteger(bins) || bins < fewest || bins > most)
    return `BINS ${bins} is no number from ${fewest} to ${most}`;
  if (!(minMs < maxMs)) return `MIN ${minMs} ms is not below MAX ${maxMs} ms`;
  return undefined;
}

/**
 * Equally wide bins from MIN to MAX, each with its lower bound but not its upper one; the first bin counts what is below
 * MIN, the last what is MAX or above.
 */
export class LinearHistogram {
  readonly #spec: HistogramSpec;
  readonly #counts: number[];

  /** @throws RangeError for bins with a problem */
  constructor(spec: HistogramSpec) {
    const problem = histogramProblem(spec);
    if (problem !== undefined) throw new RangeError(problem);
    this.#spec = spec;
    this.#counts = new Array<number>(spec.bins).fill(0);
  }

  /** Counts a delay. */
  add(delayNs: number): void {
    const bin = this.#binOf(delayNs / NS_PER_MS);
    this.#counts[bin] = (this.#counts[bin] ?? 0) + 1;
  }

  /** The counts, from the first bin to the last, with a space between them. */
  line(): string {
    return `${this.#counts.join(" ")}\n`;
  }

  #binOf(delayMs: number): number {
    const { bins, minMs, maxMs } = this.#spec;
    if (delayMs < minMs) return 0;
    if (delayMs >= maxMs) return bins - 1;
    const inner = bins - 2;
    // rounding may put what is just below MAX beyond the last inner bin
    return 1 + Math.min(inner - 1, Math.floor(((delayMs - minMs) / (maxMs - minMs)) * inner));
  }
}
