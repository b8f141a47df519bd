import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CommandError } from "@waymark/agent";
import { READY } from "../ready.ts";
import { findProcess, type ProcessFile } from "./process-file.ts";

const FLOWMON = fileURLToPath(new URL("../../../bin/flowmon.js", import.meta.url));
/** How long flowmon may take to start measuring, and to end. */
const START_MS = 30_000;
const STOP_MS = 15_000;
const LOOK_MS = 50;

/** Starts, ends and looks after one flowmon. */
export class Controller {
  readonly #file: ProcessFile;
  readonly #logPath: string;
  readonly #print: (line: string) => void;

  constructor(file: ProcessFile, logPath: string, print: (line: string) => void) {
    this.#file = file;
    this.#logPath = logPath;
    this.#print = print;
  }

  /** Runs flowmon here until it ends or `signal` is aborted; its exit code. @throws CommandError if one runs already */
  async start(args: readonly string[], signal: AbortSignal): Promise<number> {
    this.#checkFree();
    const child = spawn(process.execPath, [FLOWMON, ...args], { stdio: "inherit" });
    const ended = exitCode(child);
    this.#remember(child);
    const stop = () => void child.kill("SIGTERM");
    signal.addEventListener("abort", stop);
    try {
      return await ended;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#file.remove();
    }
  }

  /**
   * Starts flowmon in the background and returns once it measures: 0, or its exit code if it ends instead. What it says
   * goes to the log file, its results to nowhere but where its options send them.
   */
  async startDetached(args: readonly string[]): Promise<number> {
    this.#checkFree();
    mkdirSync(dirname(this.#logPath), { recursive: true });
    const log = openSync(this.#logPath, "w");
    const child = spawn(process.execPath, [FLOWMON, ...args], {
      detached: true,
      stdio: ["ignore", "ignore", log, "ipc"],
    });
    let measures = false;
    child.on("message", (message) => {
      measures ||= message === READY;
    });
    const ended = exitCode(child);
    this.#remember(child);
    const deadline = performance.now() + START_MS;
    while (performance.now() < deadline) {
      const code = await Promise.race([ended, pause(LOOK_MS)]);
      if (code !== undefined) {
        this.#file.remove();
        process.stderr.write(readFileSync(this.#logPath, "utf8"));
        return code;
      }
      if (!measures) continue;
      if (child.connected) child.disconnect();
      child.unref();
      this.#print(`started (pid ${child.pid}), log ${this.#logPath}`);
      return 0;
    }
    child.kill("SIGTERM");
    throw new Error(`flowmon did not begin to measure within ${START_MS / 1000} s; see ${this.#logPath}`);
  }

  /** Ends the flowmon that runs; 1 if none does. @throws when it does not end */
  async stop(): Promise<number> {
    const running = this.#file.read();
    if (!running) return this.#notRunning();
    process.kill(running.pid, "SIGTERM");
    const deadline = performance.now() + STOP_MS;
    while (findProcess(running.pid)?.startTicks === running.startTicks) {
      if (performance.now() > deadline)
        throw new Error(`flowmon (pid ${running.pid}) has not ended after ${STOP_MS / 1000} s`);
      await pause(LOOK_MS);
    }
    this.#file.remove();
    this.#print(`stopped (pid ${running.pid})`);
    return 0;
  }

  /** Says whether one runs: 0 if so, else 1. */
  status(): number {
    const running = this.#file.read();
    if (!running) return this.#notRunning();
    this.#print(`running (pid ${running.pid})`);
    return 0;
  }

  #notRunning(): number {
    this.#print("not running");
    return 1;
  }

  #checkFree(): void {
    const running = this.#file.read();
    if (running)
      throw new CommandError(`flowmon runs already (pid ${running.pid}); end it with monitor_controller stop`);
  }

  #remember({ pid }: ChildProcess): void {
    const found = pid === undefined ? undefined : findProcess(pid);
    if (found) this.#file.write(found);
  }
}

function exitCode(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
