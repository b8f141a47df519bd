import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import { BpfError, check } from "./errors.ts";
import { interfaceInfo } from "./interface.ts";
import type { Direction, LinkDetails, Order } from "./link.ts";
import { type NativeFilter, native } from "./native.ts";

/** Handle of every filter of ours, "WM" and a version: with the name it tells them from others'. */
const HANDLE = 0x574d_0001;
const NAME = /^waymark\/([^/]+)\/([0-9a-f]{16})$/;
const FIRST_PRIORITY = 1;
const LAST_PRIORITY = 0xffff;

const { EEXIST, EADDRINUSE, ENOENT, EINVAL } = constants.errno;

const ATTEMPTS = 3;
const RACE_LOST: ReadonlySet<number> = new Set([EINVAL, ENOENT, EEXIST]);

/** Where a filter goes. */
export interface ClsactPlace {
  readonly ifindex: number;
  readonly direction: Direction;
  readonly order: Order;
}

/** A filter of ours: its program and the name that its process holds while it lives. */
interface OwnName {
  readonly program: string;
  readonly life: string;
}

function ownName(filter: NativeFilter): OwnName | undefined {
  const match = filter.kind === "bpf" && filter.handle === HANDLE ? NAME.exec(filter.name) : null;
  return match?.[1] && match[2] ? { program: match[1], life: lifeName(match[2]) } : undefined;
}

function lifeName(token: string): string {
  return `waymark-tc/${token}`;
}

function describe(ifindex: number, direction: Direction): string {
  return `interface ${ifindex} ${direction}`;
}

function listFilters(ifindex: number, direction: Direction): readonly NativeFilter[] {
  const { status, filters } = native().tcFilters(ifindex, direction === "egress");
  check(status, "list filters of", describe(ifindex, direction));
  return filters;
}

/** True if the qdisc was made, false if there was one. */
function provideQdisc(ifindex: number, direction: Direction): boolean {
  const { status, kind } = native().tcQdiscKind(ifindex);
  check(status, "look at qdisc of", describe(ifindex, direction));
  if (kind === "clsact" || (kind === "ingress" && direction === "ingress")) return false;
  if (kind !== "") {
    // The kernel would take an egress filter for an ingress one here.
    const message = `attach clsact ${describe(ifindex, direction)}: there is a qdisc ${kind}, which has no egress`;
    throw new BpfError("BPF_BUSY", message, { operation: "attach clsact" });
  }
  const made = native().tcQdiscAdd(ifindex);
  if (made === -EEXIST) return false;
  check(made, "attach clsact", describe(ifindex, direction));
  return true;
}

function choosePriority(filters: readonly NativeFilter[], order: Order): number {
  const taken = new Set(filters.map((filter) => filter.priority));
  const step = order === "first" ? 1 : -1;
  let priority = order === "first" ? FIRST_PRIORITY : LAST_PRIORITY;
  while (taken.has(priority)) priority += step;
  return priority;
}

/** Takes a name that nobody has; it is ours while this process lives. */
function takeLife(): { readonly token: string; readonly fd: number } {
  const token = randomBytes(8).toString("hex");
  return { token, fd: check(native().takeName(lifeName(token)), "attach clsact", `sign of life ${token}`) };
}

interface Attempt {
  readonly link: number;
  readonly details: LinkDetails;
}

/** One attempt; a link < 0 says why it failed. */
function tryAttach(programFd: number, program: string, place: ClsactPlace): Attempt {
  const { ifindex, direction, order } = place;
  const madeQdisc = provideQdisc(ifindex, direction);
  const egress = direction === "egress";
  let life: ReturnType<typeof takeLife> | undefined;
  let link = -EINVAL;
  try {
    const filters = listFilters(ifindex, direction).filter((filter) => filter.handle !== 0);
    const priority = choosePriority(filters, order);
    life = takeLife();
    const name = `waymark/${program}/${life.token}`;
    link = native().tcAttach(programFd, ifindex, egress, priority, HANDLE, name, life.fd, madeQdisc);
    const precededBy = filters.filter((filter) => filter.priority < priority).length;
    return { link, details: { kind: "clsact", ifindex, priority, precededBy } };
  } finally {
    if (link < 0 && life) native().closeFd(life.fd);
    if (link < 0 && madeQdisc) native().tcQdiscDeleteEmpty(ifindex);
  }
}

/**
 * Attaches a program as a direct-action filter, making the clsact qdisc only if there is none. "first" is the lowest
 * free priority.
 * @returns the native link and what it is
 */
export function attachClsact(programFd: number, program: string, place: ClsactPlace): readonly [number, LinkDetails] {
  let attempt = tryAttach(programFd, program, place);
  // Another process may have removed the qdisc as empty, or taken the priority, since we looked.
  for (let again = 1; again < ATTEMPTS && RACE_LOST.has(-attempt.link); again++) {
    attempt = tryAttach(programFd, program, place);
  }
  check(attempt.link, "attach clsact", `${program} to ${describe(place.ifindex, place.direction)}`);
  return [attempt.link, attempt.details];
}

/** A filter's place. */
export interface TcFilterPlace {
  readonly ifindex: number;
  readonly direction: Direction;
  readonly priority: number;
  /** Programs attached by this library that let every packet go on, by name: they are not counted. Default: none. */
  readonly harmless?: ReadonlySet<string>;
}

/**
 * How many clsact filters classify before the one of this priority; each can end classification, so that the packet
 * never gets to it.
 * @throws BpfError BPF_NO_INTERFACE
 */
export function tcFiltersBefore({ ifindex, direction, priority, harmless }: TcFilterPlace): number {
  const others = listFilters(ifindex, direction).filter((filter) => !harmless?.has(ownName(filter)?.program ?? ""));
  return preceding(others, priority);
}

function preceding(filters: readonly NativeFilter[], priority: number): number {
  return filters.filter((filter) => filter.priority < priority && filter.handle !== 0).length;
}

/** Which filters to look for. */
export interface StaleTcOptions {
  readonly ifindex: number;
  readonly direction: Direction;
  /** Only filters of this program. */
  readonly programName: string;
}

/**
 * Removes the clsact filters that a killed process of ours left behind: those with our handle and name whose process no
 * longer holds its sign of life. Filters of living processes and of others stay, and so does the qdisc.
 * @returns how many were removed
 * @throws BpfError BPF_NO_INTERFACE
 */
export function removeStaleTc(options: StaleTcOptions): number {
  const { ifindex, direction, programName } = options;
  interfaceInfo(ifindex); // the kernel lists nothing, without an error, where there is no interface
  const { status, filters } = native().tcFilters(ifindex, direction === "egress");
  if (status === -ENOENT || status === -EINVAL) return 0; // no qdisc, so no filter
  check(status, "remove stale filters of", describe(ifindex, direction));
  return filters.filter((filter) => isStale(filter, programName) && detach(options, filter)).length;
}

function isStale(filter: NativeFilter, programName: string): boolean {
  const own = ownName(filter);
  if (own?.program !== programName) return false;
  const fd = native().takeName(own.life);
  if (fd === -EADDRINUSE) return false;
  check(fd, "remove stale filters of", programName);
  native().closeFd(fd);
  return true;
}

function detach(options: StaleTcOptions, filter: NativeFilter): boolean {
  const { ifindex, direction } = options;
  const status = native().tcDetach(ifindex, direction === "egress", filter.priority, filter.handle);
  if (status === -ENOENT) return false;
  check(status, "remove stale filter of", describe(ifindex, direction));
  return true;
}
