import { spawn } from "node:child_process";
import { childEnvironment } from "./environment.ts";

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const DEFAULT_DEADLINE_MS = 60_000;

/** What a command that ran to its end left behind. */
export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; 128 + signal number if a signal ended it. */
  readonly code: number;
}

/** How to run a command. */
export interface ExecOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string | Uint8Array;
  /** Killed (SIGKILL) and rejected after this time; default 60 s. */
  readonly deadlineMs?: number;
  /** Resolve for an exit code other than 0, too. */
  readonly allowFailure?: boolean;
  readonly cwd?: string;
  /** Laid over the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A command ended with an exit code other than 0, or in no time. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly argv: readonly string[];
  readonly result: ExecResult;

  constructor(argv: readonly string[], result: ExecResult, why: string) {
    super(`${argv.join(" ")}: ${why}\n${result.stderr.trim() || result.stdout.trim()}`);
    this.argv = argv;
    this.result = result;
  }
}

/**
 * Runs a command without a shell and waits for its end.
 * @throws {CommandError} exit code other than 0 (unless `allowFailure`), the deadline passed, or too much output
 */
export function exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new RangeError("exec: empty command");
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: childEnvironment(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let bytes = 0;
    let why: string | undefined;
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_OUTPUT_BYTES) into.push(chunk);
      else {
        why = `more than ${MAX_OUTPUT_BYTES} bytes of output`;
        child.kill("SIGKILL");
      }
    };
    child.stdout.on("data", collect(out));
    child.stderr.on("data", collect(err));
    const timer = setTimeout(() => {
      why = `not done after ${deadlineMs} ms`;
      child.kill("SIGKILL");
    }, deadlineMs);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(new CommandError(argv, { stdout: "", stderr: error.message, code: 127 }, "cannot be started"));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const result = {
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
        code: code ?? 128 + (signal === "SIGKILL" ? 9 : 15),
      };
      if (why !== undefined) reject(new CommandError(argv, result, why));
      else if (result.code !== 0 && options.allowFailure !== true)
        reject(new CommandError(argv, result, `exit ${result.code}`));
      else resolve(result);
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
