import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { CommandError } from "@waymark/agent";
import type { Target } from "./target.ts";

/** Test packets leave with this TTL or hop limit (RFC 8762 section 4.2). */
const TTL = 255;
/** As many errors may be waiting for a packet. */
const ATTEMPTS = 3;

/**
 * A socket that sends test packets to one reflector. Answers end in the packet program; what else comes from there is
 * not looked at. It shares its port with whoever else wants it, and takes no packet of others.
 */
export class TestSocket implements Disposable {
  readonly #socket: Socket;
  #failures = 0;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => this.#failures++);
  }

  /** @throws CommandError when the port is taken or may not be used, or there is no route */
  static async open(target: Target, localPort: number, port: number): Promise<TestSocket> {
    const { address, family, host } = target;
    const socket = createSocket({ type: family === 4 ? "udp4" : "udp6", ipv6Only: family === 6, reuseAddr: true });
    try {
      socket.bind(localPort);
      await once(socket, "listening");
      socket.connect(port, address);
      await once(socket, "connect");
      socket.setTTL(TTL);
    } catch (error) {
      socket.close();
      throw new CommandError(
        `cannot send from port ${localPort} to ${host} port ${port}: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
    socket.on("message", () => undefined);
    return new TestSocket(socket);
  }

  /** Ours, text. */
  get localAddress(): string {
    return this.#socket.address().address;
  }

  /** Packets that the kernel refused, or that somebody answered with an ICMP error. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Sends a packet. An ICMP error that an earlier one brought in is told to the next, which is then not sent: it is sent
   * again.
   */
  send(octets: Uint8Array, attempts = ATTEMPTS): void {
    this.#socket.send(octets, (error) => {
      if (!error) return;
      this.#failures++;
      if (attempts > 1 && !this.#isClosed && (error as NodeJS.ErrnoException).code === "ECONNREFUSED")
        this.send(octets, attempts - 1);
    });
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#socket.close();
  }
}
