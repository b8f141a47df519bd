import { once } from "node:events";
import { createConnection } from "node:net";
import type { Endpoint } from "./publisher-api.ts";

/** An attempt to connect is given up after this time. */
export const CONNECT_TIMEOUT_MS = 3_000;

/**
 * Finds out whether anybody listens there. The clients' own first attempts take seconds to notice that nobody does,
 * and cannot be given up half-way.
 * @throws the system's error, or "no answer in time", or an AbortError
 */
export async function probe({ address, port }: Endpoint, signal: AbortSignal): Promise<void> {
  const socket = createConnection({ host: address, port, timeout: CONNECT_TIMEOUT_MS, signal });
  try {
    await once(
      socket.once("timeout", () => socket.destroy(new Error("no answer in time"))),
      "connect",
    );
  } finally {
    socket.destroy();
  }
}
