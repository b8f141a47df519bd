import { createHash } from "node:crypto";

/** SHA-256 begun with one block of a padded key: what is left to be done for an HMAC is the message and the digest. */
export interface HmacState {
  /** Eight 32-bit words after the block of the key XOR 0x36…. */
  readonly inner: Uint32Array;
  /** After the block of the key XOR 0x5c…. */
  readonly outer: Uint32Array;
}

const BLOCK_LENGTH = 64;
const INITIAL = fractions((prime) => Math.sqrt(prime), 8);
/** The 64 round constants of SHA-256 (FIPS 180-4 section 4.2.2). */
export const SHA256_CONSTANTS: Uint32Array = fractions((prime) => Math.cbrt(prime), 64);

/** The states that HMAC-SHA-256 with this key begins with (RFC 2104); a key of more than 64 octets is hashed first. */
export function hmacState(key: Uint8Array): HmacState {
  const padded = new Uint8Array(BLOCK_LENGTH);
  padded.set(key.length > BLOCK_LENGTH ? createHash("sha256").update(key).digest() : key);
  const begun = (pad: number) =>
    compress(
      INITIAL,
      padded.map((octet) => octet ^ pad),
    );
  return { inner: begun(0x36), outer: begun(0x5c) };
}

/** SHA-256's compression of one block of 64 octets (FIPS 180-4 section 6.2.2). */
export function compress(state: Uint32Array, block: Uint8Array): Uint32Array {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_LENGTH);
  const schedule = new Uint32Array(64);
  const w = (i: number) => schedule[i] ?? 0;
  for (let i = 0; i < 16; i++) schedule[i] = view.getUint32(4 * i);
  for (let i = 16; i < 64; i++) {
    const low = rotate(w(i - 15), 7) ^ rotate(w(i - 15), 18) ^ (w(i - 15) >>> 3);
    const high = rotate(w(i - 2), 17) ^ rotate(w(i - 2), 19) ^ (w(i - 2) >>> 10);
    schedule[i] = w(i - 16) + low + w(i - 7) + high;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const chosen = (e & f) ^ (~e & g);
    const first = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + chosen + (SHA256_CONSTANTS[i] ?? 0) + w(i)) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority) | 0;
    [a, b, c, d, e, f, g, h] = [first + second, a, b, c, d + first, e, f, g].map((word) => word | 0) as Words;
  }
  const words = [a, b, c, d, e, f, g, h];
  return state.map((word, i) => word + (words[i] ?? 0));
}

type Words = [number, number, number, number, number, number, number, number];

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** The first 32 bits of the fractional parts of `root` of the first primes. */
function fractions(root: (prime: number) => number, count: number): Uint32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return Uint32Array.from(primes, (prime) => Math.floor((root(prime) % 1) * 2 ** 32));
}
