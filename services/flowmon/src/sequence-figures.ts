/** What sequence numbers said. Packets; of TCP octets where it says numbers. */
export interface SequenceFigures {
  /** The highest number so far. */
  readonly current: bigint;
  /** Packets with a number; of TCP octets. */
  readonly received: bigint;
  /** Packets whose number is below the highest. */
  readonly reverse: bigint;
  /** Packets whose number is not the next, by at most the threshold. */
  readonly small: bigint;
  /** By more than the threshold. */
  readonly big: bigint;
  readonly duplicates: bigint;
  readonly reordered: bigint;
  /** Numbers that were skipped. */
  readonly lost: bigint;
  /** Numbers that came after they were skipped. */
  readonly recovered: bigint;
  /** Runs of skipped numbers, as they were found. */
  readonly episodes: bigint;
  /** What late numbers made of the runs. */
  readonly episodesChange: bigint;
  readonly restarts: bigint;
}

/** None yet. */
export const NO_SEQUENCE: SequenceFigures = {
  current: 0n,
  received: 0n,
  reverse: 0n,
  small: 0n,
  big: 0n,
  duplicates: 0n,
  reordered: 0n,
  lost: 0n,
  recovered: 0n,
  episodes: 0n,
  episodesChange: 0n,
  restarts: 0n,
};

/** Both together; `current` is that of the later one. */
export function addSequence(a: SequenceFigures, b: SequenceFigures): SequenceFigures {
  return {
    current: b.received > 0n ? b.current : a.current,
    received: a.received + b.received,
    reverse: a.reverse + b.reverse,
    small: a.small + b.small,
    big: a.big + b.big,
    duplicates: a.duplicates + b.duplicates,
    reordered: a.reordered + b.reordered,
    lost: a.lost + b.lost,
    recovered: a.recovered + b.recovered,
    episodes: a.episodes + b.episodes,
    episodesChange: a.episodesChange + b.episodesChange,
    restarts: a.restarts + b.restarts,
  };
}

/** Numbers missing in the end; negative where more came late in this time than were skipped in it. */
export function netLost({ lost, recovered }: SequenceFigures): bigint {
  return lost - recovered;
}

/** Runs of lost numbers (RFC 6534) in the end; signed like {@link netLost}. */
export function netEpisodes({ episodes, episodesChange }: SequenceFigures): bigint {
  return episodes + episodesChange;
}

/** All errors, as the original adds them. */
export function totalErrors({ reverse, small, big }: SequenceFigures): bigint {
  return reverse + small + big;
}
