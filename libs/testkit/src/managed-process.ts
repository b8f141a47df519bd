import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { childEnvironment } from "./environment.ts";
import { waitFor } from "./wait-for.ts";

const MAX_LINES = 100_000;
const STOP_DEADLINE_MS = 10_000;

/** How to start a process that goes on running. */
export interface SpawnOptions {
  readonly cwd?: string;
  /** Laid over the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that runs beside the test: its lines are kept (the first 100 000 of each stream), and dispose ends it. */
export class ManagedProcess implements AsyncDisposable {
  readonly argv: readonly string[];
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  /** Lines beyond the bound, which were thrown away. */
  droppedLines = 0;
  /** Resolves when the process has ended and its output is read. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  #child: ChildProcess;
  #status: ExitStatus | undefined;
  #failure: Error | undefined;

  constructor(argv: readonly string[], options: SpawnOptions = {}) {
    const [file, ...args] = argv;
    if (file === undefined) throw new RangeError("spawn: empty command");
    this.argv = argv;
    const child = spawn(file, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: childEnvironment(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    this.#child = child;
    for (const name of ["stdout", "stderr"] as const) {
      createInterface({ input: child[name] }).on("line", (line) => {
        if (this[name].length < MAX_LINES) this[name].push(line);
        else this.droppedLines++;
      });
    }
    child.stdin.on("error", () => undefined);
    this.exited = new Promise((resolve) => {
      const end = (status: ExitStatus) => {
        this.#status = status;
        resolve(status);
      };
      child.on("error", (error) => {
        this.#failure = error;
        if (child.pid === undefined) end({ code: 127, signal: null });
      });
      child.on("close", (code, signal) => end({ code, signal }));
    });
  }

  /** Process id. @throws {Error} the process could not be started */
  get pid(): number {
    if (this.#child.pid === undefined)
      throw new Error(`${this.argv.join(" ")}: not started: ${this.#failure?.message}`);
    return this.#child.pid;
  }

  /** How it ended, or undefined while it runs. */
  get status(): ExitStatus | undefined {
    return this.#status;
  }

  /** Writes to standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Closes standard input. */
  closeInput(): void {
    this.#child.stdin?.end();
  }

  /** Sends a signal to this process, by its id; nothing happens once it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.#status === undefined) this.#child.kill(signal);
  }

  /**
   * Waits for the first line of `stream`, from number `from` on, that matches.
   * @throws {Error} the process ended without such a line, or the deadline passed; with the last lines of its errors
   */
  async waitForLine(
    pattern: RegExp,
    options: { readonly deadlineMs: number; readonly stream?: "stdout" | "stderr"; readonly from?: number },
  ): Promise<string> {
    const lines = this[options.stream ?? "stdout"];
    let next = options.from ?? 0;
    const found = await waitFor(
      () => {
        for (; next < lines.length; next++) {
          const line = lines[next];
          if (line !== undefined && pattern.test(line)) return { line };
        }
        return this.#status === undefined ? undefined : { line: undefined };
      },
      { deadlineMs: options.deadlineMs, what: `${this.#name()}: line ${pattern}` },
    );
    if (found.line === undefined) {
      throw new Error(
        `${this.#name()}: ended (${JSON.stringify(this.#status)}) without a line ${pattern}${this.#tail()}`,
      );
    }
    return found.line;
  }

  /**
   * Asks with `signal` (default SIGTERM) and waits for the end; SIGKILL after the deadline.
   * @throws {Error} it had to be killed
   */
  async stop(signal: NodeJS.Signals = "SIGTERM", deadlineMs = STOP_DEADLINE_MS): Promise<ExitStatus> {
    if (this.#status !== undefined) return this.#status;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#child.kill("SIGKILL");
    }, deadlineMs);
    this.#child.kill(signal);
    const status = await this.exited;
    clearTimeout(timer);
    if (late) throw new Error(`${this.#name()}: did not end within ${deadlineMs} ms of ${signal}${this.#tail()}`);
    return status;
  }

  /** Ends the process whatever it does (SIGTERM, then SIGKILL). */
  async [Symbol.asyncDispose](): Promise<void> {
    this.closeInput();
    await this.stop("SIGTERM", 2_000).catch(() => undefined);
  }

  #name(): string {
    return this.argv.join(" ");
  }

  #tail(): string {
    return this.stderr.length === 0 ? "" : `\n${this.stderr.slice(-20).join("\n")}`;
  }
}
