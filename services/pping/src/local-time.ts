const NS_PER_S = 1_000_000_000n;
const MS_PER_S = 1000;

/** Writes times of day in the host's time zone. The last second is remembered: samples come many to a second. */
export class LocalTime {
  #second = -1n;
  #text = "";

  /** `HH:MM:SS.nnnnnnnnn`. @param atNs nanoseconds since the Unix epoch */
  format(atNs: bigint): string {
    const second = atNs / NS_PER_S;
    if (second !== this.#second) {
      const date = new Date(Number(second) * MS_PER_S);
      const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
      this.#text = parts.map((part) => String(part).padStart(2, "0")).join(":");
      this.#second = second;
    }
    return `${this.#text}.${fraction(atNs)}`;
  }
}

/** `1623420121.483727575`. @param atNs nanoseconds since the Unix epoch */
export function unixSeconds(atNs: bigint): string {
  return `${atNs / NS_PER_S}.${fraction(atNs)}`;
}

function fraction(atNs: bigint): string {
  return String(atNs % NS_PER_S).padStart(9, "0");
}
