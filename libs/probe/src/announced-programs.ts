import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const PREFIX = "waymark/program/";
const SOCKETS = "/proc/net/unix";

/**
 * Tells the other agents in this network namespace whose program this is, until disposed or until the process ends,
 * however it ends: the kernel gives a program's name to those with CAP_SYS_ADMIN alone. An abstract Unix socket belongs to
 * the network namespace, as interfaces do, and everybody may read its name.
 *
 * @param id the kernel's id of a loaded program
 */
export function announceProgram(id: number, name: string): Disposable {
  const server = createServer((socket) => socket.destroy());
  // One that cannot be announced is a stranger to agents without CAP_SYS_ADMIN, who then go in front of it.
  server.on("error", () => undefined);
  server.listen(`\0${PREFIX}${id}/${name}`);
  server.unref();
  return { [Symbol.dispose]: () => void server.close() };
}

/** The name of a program that an agent in this network namespace has announced. */
export function announcedName(id: number): string | undefined {
  const at = `@${PREFIX}${id}/`;
  const line = readFileSync(SOCKETS, "latin1")
    .split("\n")
    .find((text) => text.includes(at));
  return line?.slice(line.indexOf(at) + at.length);
}
