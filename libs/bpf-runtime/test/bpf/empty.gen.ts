// Generated from empty.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
import {
  objectPath,
  type ObjectSpec,
} from "@waymark/bpf-runtime/generated";

/** Everything in `empty.bpf.c`. */
export const emptySpec = {
  name: "empty",
  objectPath: objectPath(import.meta.url, "empty"),
  programs: {
    empty_ok: { type: "tc" },
    empty_tc: { type: "tc" },
  },
  maps: {},
  rodata: {},
  data: {},
} as const satisfies ObjectSpec;

export type EmptySpec = typeof emptySpec;
