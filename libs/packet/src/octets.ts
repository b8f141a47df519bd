/** Joins parts. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Big-endian octets of numbers, each with its own size in octets (1, 2 or 4). @throws {RangeError} a number that does not fit */
export function words(...fields: readonly (readonly [size: 1 | 2 | 4, value: number])[]): Uint8Array {
  const octets = new Uint8Array(fields.reduce((length, [size]) => length + size, 0));
  let at = 0;
  for (const [size, value] of fields) {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
      throw new RangeError(`${value} does not fit into ${size} octets`);
    }
    for (let i = 0; i < size; i++) octets[at + i] = Math.floor(value / 2 ** (8 * (size - 1 - i))) & 0xff;
    at += size;
  }
  return octets;
}

/** A 16-bit big-endian number is written in place. */
export function setUint16(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >> 8;
  octets[at + 1] = value & 0xff;
}
