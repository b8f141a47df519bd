import { constants } from "node:os";
import { check } from "./errors.ts";
import type { Direction } from "./link.ts";
import { native } from "./native.ts";

/** Attach types of TCX (`enum bpf_attach_type`). */
export const TCX_ATTACH_TYPES: Readonly<Record<Direction, number>> = { ingress: 46, egress: 47 };

const MAX_PROGRAMS = 64; // BPF_MPROG_MAX of the kernel

/**
 * Ids of the programs at a TCX hook, in the order in which they run, others' too.
 * @throws BpfError where the kernel has no TCX, or there is no such interface
 */
export function tcxPrograms(ifindex: number, direction: Direction): readonly number[] {
  const ids = new Uint32Array(MAX_PROGRAMS);
  const count = native().linkQuery(ifindex, TCX_ATTACH_TYPES[direction], new Uint8Array(ids.buffer));
  check(count, "query tcx", `interface ${ifindex} ${direction}`);
  return [...ids.subarray(0, count)];
}

/**
 * The name of a loaded program, also of others', as the kernel keeps it: 15 characters at most. Undefined when it is gone.
 * @throws BpfError without the privilege to ask
 */
export function programName(id: number): string | undefined {
  const { status, name } = native().programName(id);
  if (status === -constants.errno.ENOENT) return undefined;
  check(status, "name program", String(id));
  return name;
}
