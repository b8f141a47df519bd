import { createServer, type Server } from "node:net";
import { CommandError } from "@waymark/agent";
import type { Role } from "./block.ts";

/**
 * Holds (role, interface) in this network namespace until disposed or until the process ends, however it ends: two
 * sources would take each other's marks for somebody's DSCP, two sinks would take each other's packets.
 * An abstract Unix socket belongs to the network namespace, as interfaces do, and needs no cleaning up.
 *
 * @throws CommandError when another process holds it
 */
export async function lockInstance(role: Role, ifindex: number, device: string): Promise<AsyncDisposable> {
  const server = createServer((socket) => socket.destroy());
  try {
    await listen(server, `\0waymark/altmark/${role}/${ifindex}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new CommandError(
      `an altmark ${role} runs on ${device} already; measure several paths there with one process (--path A --path B, each with its --flow)`,
      { cause: error },
    );
  }
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      server.unref();
      resolve();
    });
  });
}
