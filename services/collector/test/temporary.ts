import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of its own for one test; `remove` deletes it. */
export function temporaryDirectory(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "waymark-collector-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A TCP port on loopback that nothing uses at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

/**
 * Waits until `read` answers something, looking again after each `everyMs`.
 *
 * @throws Error with `what` when the deadline passes first
 */
export async function until<T>(
  what: string,
  read: () => Promise<T | undefined> | T | undefined,
  deadlineMs = 30_000,
  everyMs = 25,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
