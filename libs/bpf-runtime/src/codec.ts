/** How a value lies in kernel memory: little-endian, as on every machine this runs on (x64, arm64). */
export interface Codec<T> {
  /** Octets. */
  readonly size: number;
  /** Reads the value at `at`; does not keep `view`. */
  decode(view: DataView, at: number): T;
  /**
   * Writes the value at `at`; padding is left as it is.
   * @throws TypeError for a value of the wrong type, RangeError for one that does not fit; both name `name`
   */
  encode(view: DataView, at: number, value: T, name: string): void;
}

/** The TypeScript type that a codec reads and writes. */
export type CodecValue<C> = C extends Codec<infer T> ? T : never;

function integer(value: number, low: number, high: number, name: string): number {
  if (!Number.isInteger(value)) throw new TypeError(`${name}: ${String(value)} is not an integer`);
  if (value < low || value > high) throw new RangeError(`${name}: ${value} is not in ${low} to ${high}`);
  return value;
}

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const S64_MIN = -0x8000_0000_0000_0000n;
const S64_MAX = 0x7fff_ffff_ffff_ffffn;

function bigInteger(value: bigint, low: bigint, high: bigint, name: string): bigint {
  if (typeof value !== "bigint") throw new TypeError(`${name}: ${String(value)} is not a bigint`);
  if (value < low || value > high) throw new RangeError(`${name}: ${value} is not in ${low} to ${high}`);
  return value;
}

/** Unsigned, 8 bits. */
export const u8: Codec<number> = {
  size: 1,
  decode: (view, at) => view.getUint8(at),
  encode: (view, at, value, name) => view.setUint8(at, integer(value, 0, 0xff, name)),
};

/** Unsigned, 16 bits. */
export const u16: Codec<number> = {
  size: 2,
  decode: (view, at) => view.getUint16(at, true),
  encode: (view, at, value, name) => view.setUint16(at, integer(value, 0, 0xffff, name), true),
};

/** Unsigned, 32 bits. */
export const u32: Codec<number> = {
  size: 4,
  decode: (view, at) => view.getUint32(at, true),
  encode: (view, at, value, name) => view.setUint32(at, integer(value, 0, 0xffff_ffff, name), true),
};

/** Unsigned, 64 bits. */
export const u64: Codec<bigint> = {
  size: 8,
  decode: (view, at) => view.getBigUint64(at, true),
  encode: (view, at, value, name) => view.setBigUint64(at, bigInteger(value, 0n, U64_MAX, name), true),
};

/** Signed, 8 bits. */
export const s8: Codec<number> = {
  size: 1,
  decode: (view, at) => view.getInt8(at),
  encode: (view, at, value, name) => view.setInt8(at, integer(value, -0x80, 0x7f, name)),
};

/** Signed, 16 bits. */
export const s16: Codec<number> = {
  size: 2,
  decode: (view, at) => view.getInt16(at, true),
  encode: (view, at, value, name) => view.setInt16(at, integer(value, -0x8000, 0x7fff, name), true),
};

/** Signed, 32 bits. */
export const s32: Codec<number> = {
  size: 4,
  decode: (view, at) => view.getInt32(at, true),
  encode: (view, at, value, name) => view.setInt32(at, integer(value, -0x8000_0000, 0x7fff_ffff, name), true),
};

/** Signed, 64 bits. */
export const s64: Codec<bigint> = {
  size: 8,
  decode: (view, at) => view.getBigInt64(at, true),
  encode: (view, at, value, name) => view.setBigInt64(at, bigInteger(value, S64_MIN, S64_MAX, name), true),
};

/** Unsigned, 16 bits in network order (`__be16`); the value is the number, not the octets turned round. */
export const be16: Codec<number> = {
  size: 2,
  decode: (view, at) => view.getUint16(at),
  encode: (view, at, value, name) => view.setUint16(at, integer(value, 0, 0xffff, name)),
};

/** Unsigned, 32 bits in network order (`__be32`). */
export const be32: Codec<number> = {
  size: 4,
  decode: (view, at) => view.getUint32(at),
  encode: (view, at, value, name) => view.setUint32(at, integer(value, 0, 0xffff_ffff, name)),
};

/** Unsigned, 64 bits in network order (`__be64`). */
export const be64: Codec<bigint> = {
  size: 8,
  decode: (view, at) => view.getBigUint64(at),
  encode: (view, at, value, name) => view.setBigUint64(at, bigInteger(value, 0n, U64_MAX, name)),
};

/** `_Bool`. */
export const bool: Codec<boolean> = {
  size: 1,
  decode: (view, at) => view.getUint8(at) !== 0,
  encode: (view, at, value, name) => {
    if (typeof value !== "boolean") throw new TypeError(`${name}: ${String(value)} is not a boolean`);
    view.setUint8(at, value ? 1 : 0);
  },
};

/** Up to here (an address) octet by octet takes less time than a view and its copy. */
const SHORT = 16;

/** `length` octets, copied out. Exactly as many must be given. */
export function bytes(length: number): Codec<Uint8Array> {
  return {
    size: length,
    decode: (view, at) => {
      if (length > SHORT) return new Uint8Array(view.buffer, view.byteOffset + at, length).slice();
      const octets = new Uint8Array(length);
      for (let index = 0; index < length; index++) octets[index] = view.getUint8(at + index);
      return octets;
    },
    encode: (view, at, value, name) => {
      if (!(value instanceof Uint8Array)) throw new TypeError(`${name}: ${String(value)} is not a Uint8Array`);
      if (value.length !== length) throw new RangeError(`${name}: ${value.length} octets instead of ${length}`);
      new Uint8Array(view.buffer, view.byteOffset + at, length).set(value);
    },
  };
}

/** `length` elements. Fewer may be given; the rest stays as it is (zero in a new value). */
export function array<T>(element: Codec<T>, length: number): Codec<readonly T[]> {
  return {
    size: element.size * length,
    decode: (view, at) => {
      const values = new Array<T>(length);
      for (let index = 0; index < length; index++) values[index] = element.decode(view, at + index * element.size);
      return values;
    },
    encode: (view, at, value, name) => {
      if (!Array.isArray(value)) throw new TypeError(`${name}: ${String(value)} is not an array`);
      if (value.length > length) throw new RangeError(`${name}: ${value.length} elements, at most ${length}`);
      for (const [index, item] of (value as readonly T[]).entries()) {
        element.encode(view, at + index * element.size, item, name);
      }
    },
  };
}

/** The value in a buffer of its own, padding zero. */
export function encodeAlone<T>(codec: Codec<T>, value: T, name: string): Uint8Array {
  const buffer = new Uint8Array(codec.size);
  codec.encode(viewOf(buffer), 0, value, name);
  return buffer;
}

/** A view of exactly the octets of `buffer`. */
export function viewOf(buffer: Uint8Array): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
