const MODULUS = 2 ** 32;

/** The number nearest to `near` that is `sequence` modulo 2^32. */
export function unwrap(sequence: number, near: number): number {
  const base = near - modulo(near);
  const behind = (sequence - modulo(near)) | 0;
  return base + modulo(near) + behind;
}

/** A number of any size as the 32 bits of a packet. */
export function modulo(position: number): number {
  return ((position % MODULUS) + MODULUS) % MODULUS;
}
