import { constants } from "node:os";

/** Every code that a {@link BpfError} can have, with what it means. */
export const BPF_ERROR_CODES = {
  BPF_CLOSED: "used after it was closed",
  BPF_NOT_BUILT: "the native addon or a BPF object has not been built",
  BPF_BAD_OBJECT: "a BPF object cannot be read, or does not fit the module generated from it",
  BPF_NOT_PERMITTED: "the process lacks a capability",
  BPF_NOT_SUPPORTED: "the running kernel lacks a feature",
  BPF_VERIFIER: "the kernel's verifier refused a program",
  BPF_NO_INTERFACE: "there is no such network interface here",
  BPF_BUSY: "something else occupies the place",
  BPF_KEY_EXISTS: "the map has the key already",
  BPF_NO_KEY: "the map does not have the key",
  BPF_MAP_FULL: "the map is full",
  BPF_SYSTEM: "any other failure that the kernel reports",
} as const;

/** Stable name of a failure. */
export type BpfErrorCode = keyof typeof BPF_ERROR_CODES;

/** What a {@link BpfError} carries beside its message. */
export interface BpfErrorDetails {
  /** What was being done, for example `attach tcx`. */
  readonly operation: string;
  /** Positive errno, if the kernel gave one. */
  readonly errno?: number;
  readonly cause?: unknown;
}

const BRAND: unique symbol = Symbol.for("waymark.BpfError");

/** Kernel-internal, so not among the C library's names. */
export const ENOTSUPP = 524;

/** `EPERM` and the like; the bare number if it has no name. */
export function errnoName(errno: number): string {
  if (errno === ENOTSUPP) return "ENOTSUPP";
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}

/** Anything that goes wrong between user space and the kernel. `code` is stable, the message is for people. */
export class BpfError extends Error {
  readonly code: BpfErrorCode;
  readonly operation: string;
  readonly errno: number | undefined;
  readonly [BRAND] = true;

  constructor(code: BpfErrorCode, message: string, details: BpfErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "BpfError";
    this.code = code;
    this.operation = details.operation;
    this.errno = details.errno;
  }

  /** True for every copy of this class: modules may be loaded more than once. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** The verifier refused a program. `message` ends in its last words, `log` has all of them. */
export class VerifierError extends BpfError {
  readonly program: string;
  readonly log: string;

  constructor(program: string, summary: string, log: string, errno: number) {
    super("BPF_VERIFIER", `load ${program}: ${summary} (${errnoName(errno)})`, { operation: "load", errno });
    this.name = "VerifierError";
    this.program = program;
    this.log = log;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return BpfError[Symbol.hasInstance](value) && (value as BpfError).code === "BPF_VERIFIER";
  }
}

const { EPERM, EACCES, ENODEV, EBUSY, EEXIST, ENOENT, E2BIG, EOPNOTSUPP, ENOSYS } = constants.errno;

const BY_ERRNO: ReadonlyMap<number, readonly [BpfErrorCode, string]> = new Map([
  [EPERM, ["BPF_NOT_PERMITTED", "not permitted; it needs root or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"]],
  [EACCES, ["BPF_NOT_PERMITTED", "not permitted; it needs root or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"]],
  [ENODEV, ["BPF_NO_INTERFACE", "no such interface in this network namespace"]],
  [EBUSY, ["BPF_BUSY", "something else is there already"]],
  [EOPNOTSUPP, ["BPF_NOT_SUPPORTED", "not supported here"]],
  [ENOTSUPP, ["BPF_NOT_SUPPORTED", "not supported here"]],
  [ENOSYS, ["BPF_NOT_SUPPORTED", "not supported here"]],
]);

const BY_MAP_ERRNO: ReadonlyMap<number, readonly [BpfErrorCode, string]> = new Map([
  [EEXIST, ["BPF_KEY_EXISTS", "the key is there already"]],
  [ENOENT, ["BPF_NO_KEY", "there is no such key"]],
  [E2BIG, ["BPF_MAP_FULL", "the map is full, or the index beyond its end"]],
]);

/** The error for a negative `status` of `operation` on `object`. */
export function systemError(status: number, operation: string, object: string): BpfError {
  const errno = -status;
  const isMap = operation.startsWith("map ");
  const [code, what] = (isMap ? BY_MAP_ERRNO.get(errno) : undefined) ??
    BY_ERRNO.get(errno) ?? ["BPF_SYSTEM" as const, "failed"];
  return new BpfError(code, `${operation} ${object}: ${what} (${errnoName(errno)})`, { operation, errno });
}

/** Answers `status` if it is no failure. @throws BpfError otherwise */
export function check(status: number, operation: string, object: string): number {
  if (status < 0) throw systemError(status, operation, object);
  return status;
}

/** The error for using something closed. */
export function closedError(operation: string, object: string): BpfError {
  return new BpfError("BPF_CLOSED", `${operation} ${object}: it is closed`, { operation });
}
