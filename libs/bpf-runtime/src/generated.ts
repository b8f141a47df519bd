// What generated modules import; not for hand-written code.
export type { Codec } from "./codec.ts";
export { array, be16, be32, be64, bool, bytes, s8, s16, s32, s64, u8, u16, u32, u64 } from "./codec.ts";
export { objectPath } from "./object-path.ts";
export type { ObjectSpec } from "./object-spec.ts";
