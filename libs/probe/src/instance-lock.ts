import { createServer, type Server } from "node:net";
import { CommandError } from "@waymark/agent";

/** What only one process of a network namespace may do. */
export interface Instance {
  /** "altmark" and the like. */
  readonly service: string;
  readonly role: string;
  readonly ifindex: number;
  /** The error for whoever comes second: one line with the way out. */
  readonly taken: string;
}

/**
 * Holds (service, role, interface) in this network namespace until disposed or until the process ends, however it ends.
 * An abstract Unix socket belongs to the network namespace, as interfaces do, and needs no cleaning up.
 *
 * @throws CommandError when another process holds it
 */
export async function lockInstance({ service, role, ifindex, taken }: Instance): Promise<AsyncDisposable> {
  const server = createServer((socket) => socket.destroy());
  try {
    await listen(server, `\0waymark/${service}/${role}/${ifindex}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new CommandError(taken, { cause: error });
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
