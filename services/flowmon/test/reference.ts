import type { SequenceFigures } from "../src/sequence-figures.ts";

/** A small generator of numbers from 0 to 1 with a seed (mulberry32), so that a failure can be repeated. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Gaps as one would compute them by hand, from the times of arrival of one flow. */
export function plainGaps(timesNs: readonly bigint[], pauseNs = 2_000_000_000n) {
  let gaps: bigint[] = [];
  for (let i = 1; i < timesNs.length; i++) {
    const gap = (timesNs[i] as bigint) - (timesNs[i - 1] as bigint);
    if (gap > pauseNs) gaps = [];
    else gaps.push(gap);
  }
  const sumNs = gaps.reduce((sum, gap) => sum + gap, 0n);
  return { gaps: BigInt(gaps.length), sumNs, squaresNs2: gaps.reduce((sum, gap) => sum + gap * gap, 0n), list: gaps };
}

/** Mean and sample deviation by the textbook's two passes. */
export function twoPass(values: readonly bigint[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + Number(value), 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (Number(value) - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}

/** What a generator of numbers did. */
export interface NumberLog {
  /** Steps since the first number, in the order in which they are sent. */
  readonly sent: readonly number[];
  /** Never sent, though a later one was. */
  readonly lost: number;
  readonly episodes: number;
  /** Sent a second time. */
  readonly duplicates: number;
  /** Sent after a later one. */
  readonly late: number;
}

/** Sends numbers in turn, but loses some, sends some twice and some late. */
export function generateNumbers(
  count: number,
  next: () => number,
  rates = { lose: 0.03, twice: 0.03, late: 0.03 },
): NumberLog {
  const queue: { readonly at: number; readonly number: number }[] = [];
  let [duplicates, lost, episodes] = [0, 0, 0];
  let lastLost = -2;
  for (let number = 0; number < count; number++) {
    const isEdge = number === 0 || number > count - 300;
    const dice = isEdge ? 1 : next();
    if (dice < rates.lose) {
      lost++;
      if (lastLost !== number - 1) episodes++;
      lastLost = number;
    } else if (dice < rates.lose + rates.late) {
      queue.push({ at: number + 0.5 + Math.floor(1 + next() * 200), number });
    } else {
      queue.push({ at: number, number });
      if (dice < rates.lose + rates.late + rates.twice) {
        queue.push({ at: number + 0.25 + Math.floor(next() * 200), number });
        duplicates++;
      }
    }
  }
  const sent = queue.sort((a, b) => a.at - b.at).map(({ number }) => number);
  const seen = new Set<number>();
  let [highest, late] = [-1, 0];
  for (const number of sent) {
    if (number < highest && !seen.has(number)) late++;
    seen.add(number);
    highest = Math.max(highest, number);
  }
  return { sent, lost, episodes, duplicates, late };
}

/** The figures that a list of arrivals has by the definitions, with all numbers ever seen at hand. */
export function plainSequence(
  sent: readonly number[],
  threshold: number,
  step = 1,
): Omit<SequenceFigures, "current" | "restarts"> {
  const seen = new Set<number>();
  let highest: number | undefined;
  const counts = { reverse: 0, small: 0, big: 0, duplicates: 0, reordered: 0, lost: 0, recovered: 0, found: 0 };
  for (const number of sent) {
    const isTwice = seen.has(number);
    seen.add(number);
    if (highest === undefined) {
      highest = number;
      continue;
    }
    const ahead = (number - highest) * step;
    if (ahead < 0) counts.reverse++;
    else if (ahead > threshold && ahead !== step) counts.big++;
    else if (ahead !== step) counts.small++;
    if (isTwice) counts.duplicates++;
    else if (ahead < 0) {
      counts.reordered++;
      counts.recovered++;
    } else if (number - highest > 1) {
      counts.lost += number - highest - 1;
      counts.found++;
    }
    highest = Math.max(highest, number);
  }
  let runs = 0;
  const first = sent[0] ?? 0;
  for (let number = first + 1; number < (highest ?? 0); number++) {
    if (!seen.has(number) && seen.has(number - 1)) runs++;
  }
  return {
    received: BigInt(sent.length),
    reverse: BigInt(counts.reverse),
    small: BigInt(counts.small),
    big: BigInt(counts.big),
    duplicates: BigInt(counts.duplicates),
    reordered: BigInt(counts.reordered),
    lost: BigInt(counts.lost),
    recovered: BigInt(counts.recovered),
    episodes: BigInt(counts.found),
    episodesChange: BigInt(runs - counts.found),
  };
}
