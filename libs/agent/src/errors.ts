/** What a process of Waymark exits with. */
export const exitCodes = {
  ok: 0,
  /** Failed while running. */
  failed: 1,
  /** Wrong command line, environment or configuration. */
  usage: 2,
  /** Not permitted, or not supported by this kernel or host. */
  unsupported: 3,
} as const;

/** Every code that an {@link AgentError} can have, with what it means. */
export const AGENT_ERROR_CODES = {
  WAYMARK_USAGE: "the command line or the environment is wrong",
  WAYMARK_UNSUPPORTED: "not permitted or not supported here",
  WAYMARK_LISTEN: "an address cannot be listened on",
  WAYMARK_HEALTH_FILE: "the health file cannot be written",
} as const;

/** Stable name of a failure. */
export type AgentErrorCode = keyof typeof AGENT_ERROR_CODES;

/** Base of this package's errors: a one-line message for the user and the exit code that goes with it. */
export class AgentError extends Error {
  /** Stable name of the kind of error. */
  readonly code: AgentErrorCode;
  /** What the process exits with when nobody catches it. */
  readonly exitCode: number;

  constructor(message: string, code: AgentErrorCode, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** The command line or the environment is wrong: exit code 2. The message names the value and the way out. */
export class CommandError extends AgentError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, "WAYMARK_USAGE", exitCodes.usage, options);
  }
}

/** Not permitted or not supported here: exit code 3. */
export class UnsupportedError extends AgentError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, "WAYMARK_UNSUPPORTED", exitCodes.unsupported, options);
  }
}

/** Codes of system calls and of the BPF runtime that mean: not permitted, or not supported by this kernel. */
const UNSUPPORTED = new Set(["EPERM", "EACCES", "BPF_NOT_PERMITTED", "BPF_NOT_SUPPORTED"]);

/**
 * The exit code for anything thrown. An error of another package may carry its own in `exitCode` (2 or 3);
 * what was not permitted or is not supported is 3; everything else is 1.
 */
export function exitCodeOf(error: unknown): number {
  if (typeof error !== "object" || error === null) return exitCodes.failed;
  const { exitCode, code } = error as { exitCode?: unknown; code?: unknown };
  if (exitCode === exitCodes.usage || exitCode === exitCodes.unsupported) return exitCode;
  if (typeof code === "string" && UNSUPPORTED.has(code)) return exitCodes.unsupported;
  return exitCodes.failed;
}

/** The message of anything thrown, on one line. */
export function errorLine(error: unknown): string {
  const text = error instanceof Error || hasMessage(error) ? error.message : String(error);
  return text.replaceAll(/\s*[\r\n]+\s*/g, " ").trim() || "unknown error";
}

// Errors from another realm (native add-ons under jest) are not instanceof Error.
function hasMessage(error: unknown): error is { message: string } {
  return typeof error === "object" && error !== null && typeof (error as { message?: unknown }).message === "string";
}
