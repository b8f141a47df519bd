const SCALES = ["", "K", "M", "G", "T"] as const;
const STEP = 1000;
const BITS = 8;

/** A rate for people: `12.3456` and `KBytes/sec`. Prefixes are of 1000. */
export interface ScaledRate {
  readonly value: string;
  readonly unit: string;
}

/** Scales bytes a second. `bits`: shown as bits a second. */
export function scaleRate(bytesPerSecond: number, bits: boolean): ScaledRate {
  let value = bits ? bytesPerSecond * BITS : bytesPerSecond;
  let scale = 0;
  while (value >= STEP && scale < SCALES.length - 1) {
    value /= STEP;
    scale++;
  }
  return { value: value.toFixed(4), unit: `${SCALES[scale] ?? ""}${bits ? "bits" : "Bytes"}/sec` };
}

/** Milliseconds of nanoseconds, four decimals; `-` where there is nothing. */
export function milliseconds(ns: number | undefined): string {
  return ns === undefined ? "-" : (ns / 1e6).toFixed(4);
}
