const NS_PER_MS = 1e6;

/** Nanoseconds as milliseconds with three decimals; a dash for what is not known. */
export function milliseconds(ns: number | bigint | undefined): string {
  return ns === undefined ? "-" : (Number(ns) / NS_PER_MS).toFixed(3);
}

/** A ratio in percent with two decimals; a dash for what is not known. */
export function percent(ratio: number | undefined): string {
  return ratio === undefined ? "-" : (100 * ratio).toFixed(2);
}
