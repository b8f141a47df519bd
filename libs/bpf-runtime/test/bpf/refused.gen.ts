// Generated from refused.bpf.c by `npm run generate -w libs/bpf-runtime`; not to be edited.
import {
  objectPath,
  type ObjectSpec,
} from "@waymark/bpf-runtime/generated";

/** Everything in `refused.bpf.c`. */
export const refusedSpec = {
  name: "refused",
  objectPath: objectPath(import.meta.url, "refused"),
  programs: {
    refused_read: { type: "tc" },
  },
  maps: {},
  rodata: {},
  data: {},
} as const satisfies ObjectSpec;

export type RefusedSpec = typeof refusedSpec;
