/**
 * Inter-arrival times of one flow (or of several, each by its own): exact sums. Nanoseconds.
 */
export interface GapFigures {
  readonly gaps: bigint;
  readonly sumNs: bigint;
  /** Sum of squares; exact, up to 128 bits. */
  readonly squaresNs2: bigint;
  /** Of `gaps`: 0, because the packets arrived as one super-packet. */
  readonly superGaps: bigint;
}

/** None yet. */
export const NO_GAPS: GapFigures = { gaps: 0n, sumNs: 0n, squaresNs2: 0n, superGaps: 0n };

/** Both together. */
export function addGaps(a: GapFigures, b: GapFigures): GapFigures {
  return {
    gaps: a.gaps + b.gaps,
    sumNs: a.sumNs + b.sumNs,
    squaresNs2: a.squaresNs2 + b.squaresNs2,
    superGaps: a.superGaps + b.superGaps,
  };
}

/** Mean in nanoseconds; undefined without gaps. */
export function gapMean({ gaps, sumNs }: GapFigures): number | undefined {
  return gaps === 0n ? undefined : Number(sumNs) / Number(gaps);
}

/**
 * Standard deviation of a sample (n − 1) in nanoseconds; undefined for fewer than two gaps. The difference of the two
 * large numbers is taken before anything is rounded.
 */
export function gapDeviation({ gaps, sumNs, squaresNs2 }: GapFigures): number | undefined {
  if (gaps < 2n) return undefined;
  const numerator = gaps * squaresNs2 - sumNs * sumNs;
  return Math.sqrt(Number(numerator) / Number(gaps) / Number(gaps - 1n));
}

/** How many of the gaps, 0 to 1, are not gaps of the wire; undefined without gaps. */
export function superGapRatio({ gaps, superGaps }: GapFigures): number | undefined {
  return gaps === 0n ? undefined : Number(superGaps) / Number(gaps);
}
