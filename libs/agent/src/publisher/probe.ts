import { createConnection } from "node:net";
import type { Endpoint } from "./publisher-api.ts";

/** An attempt to connect is given up after this time. */
export const CONNECT_TIMEOUT_MS = 3_000;

/**
 * Finds out whether a server speaks there, on a connection of its own. The clients' attempts take seconds to notice
 * that none does, cannot be given up half-way, and keep a socket on which they never heard anything.
 *
 * @param greeting what makes the server speak; nothing where it speaks first
 * @throws the system's error, "no answer in time", "the connection was closed", or an AbortError
 */
export async function probe(endpoint: Endpoint, greeting: Uint8Array, signal: AbortSignal): Promise<void> {
  const { address, port } = endpoint;
  const socket = createConnection({ host: address, port, timeout: CONNECT_TIMEOUT_MS, signal });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("data", () => resolve());
      socket.once("error", reject);
      socket.once("timeout", () => reject(new Error("no answer in time")));
      socket.once("close", () => reject(new Error("the connection was closed")));
      socket.write(greeting);
    });
  } finally {
    socket.destroy();
  }
}
