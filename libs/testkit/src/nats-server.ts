import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const READY_DEADLINE_MS = 10_000;
const POLL_MS = 10;

/** A nats-server with JetStream on a loopback port of its own. */
export interface NatsServer {
  /** nats://127.0.0.1:PORT, the same after a restart. */
  readonly url: string;
  readonly port: number;
  /** Ends the process with this signal and waits for its end; the store stays. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again after `kill`, on the same port with the same store; resolves when it answers. */
  start(): Promise<void>;
  /** Ends the process and deletes the store. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a nats-server and waits until it answers.
 * @throws Error when the program is not installed or does not come up within 10 s
 */
export async function startNatsServer(): Promise<NatsServer> {
  const directory = await mkdtemp(join(tmpdir(), "waymark-nats-"));
  const server = new LocalNatsServer(directory);
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

class LocalNatsServer implements NatsServer {
  readonly #directory: string;
  #port = 0;
  #child: ChildProcess | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    // -1: the server takes a free port itself and writes down which.
    const port = this.#port === 0 ? "-1" : String(this.#port);
    const store = ["--jetstream", "--store_dir", join(this.#directory, "store")];
    const child = spawn(
      findProgram(),
      ["--addr", "127.0.0.1", "--port", port, ...store, "--ports_file_dir", this.#directory],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    this.#child = child;
    const end = () => child.kill("SIGKILL");
    process.once("exit", end);
    child.once("exit", () => process.off("exit", end));
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-2_000);
    });
    const deadline = performance.now() + READY_DEADLINE_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || performance.now() > deadline) throw new Error(`nats-server is not ready: ${said}`);
      await pause(POLL_MS);
    }
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    if (this.#port === 0) this.#port = await readPort(this.#directory);
    return this.#port !== 0 && (await greets(this.#port));
  }
}

async function readPort(directory: string): Promise<number> {
  const name = (await readdir(directory)).find((file) => file.endsWith(".ports"));
  if (name === undefined) return 0;
  const text = await readFile(join(directory, name), "utf8");
  return Number(/nats:\/\/[^"]*:(\d+)/.exec(text)?.[1] ?? 0);
}

/** Whether a server says INFO there. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString().startsWith("INFO"));
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}

function findProgram(): string {
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/bin"];
  const found = directories.map((directory) => join(directory, "nats-server")).find((path) => existsSync(path));
  if (found === undefined) throw new Error("nats-server is not installed (Debian: apt-get install nats-server)");
  return found;
}
