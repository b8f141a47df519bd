import { type ChildProcess, spawn } from "node:child_process";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { freePort, until } from "./temporary.ts";

/** A process and what it has said. */
export interface Child {
  readonly process: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the exit code, or with the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

const alive = new Set<ChildProcess>();

/** Kills what a test has left running, so that a failure is a failure and not a hang. */
export async function killChildren(): Promise<void> {
  const ended = [...alive].map((child) => new Promise((resolve) => child.once("close", resolve)));
  for (const child of alive) child.kill("SIGKILL");
  await Promise.all(ended);
}

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Child {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
  alive.add(child);
  child.once("close", () => alive.delete(child));
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  return { process: child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Starts a collector as a process; the command line as a user would type it. */
export function startCollectorProcess(args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  const script = fileURLToPath(new URL("./collector-child.ts", import.meta.url));
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  return start(process.execPath, ["--conditions=source", "--import", "tsx", script, ...args], { ...inherited, ...env });
}

/** Waits until a collector process says that it runs. */
export async function running(child: Child): Promise<void> {
  await until("the collector to run", () => {
    if (child.process.exitCode !== null) throw new Error(`it ended: ${child.stderr()}`);
    return child.stderr().includes("collector runs") ? true : undefined;
  });
}

/** Starts a real nats-server with JetStream on loopback. */
export async function startNats(directory: string, port: number): Promise<Child> {
  const child = start("nats-server", ["-js", "-sd", directory, "-a", "127.0.0.1", "-p", String(port)]);
  await until("nats-server", () => {
    if (child.process.exitCode !== null) throw new Error(`it ended: ${child.stderr()}`);
    return child.stderr().includes("Server is ready") ? true : undefined;
  });
  return child;
}

/** A wire to a NATS server on which acknowledgements can be lost. */
export interface Proxy {
  readonly port: number;
  /** Acknowledgements that did not get through. */
  readonly lostAcknowledgements: () => number;
  close(): Promise<void>;
}

/** Forwards everything to the port but what acknowledges a message, and all that the client says after it. */
export async function startAckLosingProxy(target: number): Promise<Proxy> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  let lost = 0;
  const server = createServer((client) => {
    const upstream = connectTcp(target, "127.0.0.1");
    let silent = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    client.on("data", (chunk) => {
      const acknowledgements = chunk.toString("latin1").split("$JS.ACK.").length - 1;
      lost += acknowledgements;
      silent ||= acknowledgements > 0;
      if (!silent) upstream.write(chunk);
    });
    upstream.on("data", (chunk) => client.write(chunk));
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port,
    lostAcknowledgements: () => lost,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
