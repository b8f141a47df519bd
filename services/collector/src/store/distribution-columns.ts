/** The columns of a Distribution, named after what is distributed. */
export function distributionColumns(name: string): Readonly<Record<string, string>> {
  return {
    [`${name}_count`]: "UInt64 CODEC(ZSTD)",
    [`${name}_min_ns`]: "Int64 CODEC(ZSTD)",
    [`${name}_max_ns`]: "Int64 CODEC(ZSTD)",
    [`${name}_sum_ns`]: "Int64 CODEC(ZSTD)",
    [`${name}_precision_bits`]: "UInt8 CODEC(ZSTD)",
    [`${name}_buckets`]: "Array(Int32) CODEC(ZSTD)",
    [`${name}_counts`]: "Array(UInt64) CODEC(ZSTD)",
  };
}
