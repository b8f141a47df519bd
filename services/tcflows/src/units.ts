const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;
const STEP = 1024;

/** Octets for people: bare below 1024, then with two decimals: `882`, `1.36 KiB`, `1.29 GiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < STEP) return String(bytes);
  let value = bytes;
  let unit = -1;
  do {
    value /= STEP;
    unit++;
    // What rounds to 1024.00 is one of the next unit.
  } while (Number(value.toFixed(2)) >= STEP && unit + 1 < UNITS.length);
  return `${value.toFixed(2)} ${UNITS[unit]}`;
}
