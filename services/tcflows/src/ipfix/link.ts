import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { lookup } from "node:dns";
import { connect, type Socket } from "node:net";
import type { IpfixTarget } from "./target.ts";

/** A way to an IPFIX collector. */
export interface Link {
  /** Octets of a message at the most. */
  readonly maxBytes: number;
  /** Whether what was told is remembered: a connection knows its templates until it ends, datagrams may be lost. */
  readonly reliable: boolean;
  /** Whether a message can be sent now. */
  readonly ready: boolean;
  send(message: Uint8Array): void;
  /** Sends what is under way, for so long at the most, and ends. */
  close(deadlineMs: number): Promise<void>;
}

/** What a link tells. */
export interface LinkEvents {
  /** A session begins: nothing was told in it yet. */
  onSession(): void;
  /** There is room again. */
  onReady(): void;
  onError(error: Error): void;
}

/** Fits into an Ethernet frame whatever is around it (RFC 7011 section 10.3.3 leaves it to us). */
const UDP_BYTES = 1400;
const TCP_BYTES = 16_384;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** A connection that lasts so long was one to a collector, not to a proxy without one behind it. */
const SETTLED_MS = 5000;

/** Opens a link; it tries again for ever. */
export function openLink(target: IpfixTarget, events: LinkEvents): Link {
  return target.transport === "udp" ? new UdpLink(target, events) : new TcpLink(target, events);
}

/** Waits longer and longer between attempts. */
class Backoff {
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | undefined;

  again(attempt: () => void): void {
    this.#timer = setTimeout(attempt, this.#pauseMs);
    this.#timer.unref();
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  succeeded(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

class UdpLink implements Link {
  readonly maxBytes = UDP_BYTES;
  readonly reliable = false;
  readonly #target: IpfixTarget;
  readonly #events: LinkEvents;
  readonly #backoff = new Backoff();
  #open: { readonly socket: DatagramSocket; readonly address: string } | undefined;
  #pending = 0;
  #closed = false;

  constructor(target: IpfixTarget, events: LinkEvents) {
    this.#target = target;
    this.#events = events;
    this.#resolve();
  }

  get ready(): boolean {
    return this.#open !== undefined;
  }

  send(message: Uint8Array): void {
    if (!this.#open) return;
    const { socket, address } = this.#open;
    this.#pending++;
    socket.send(message, this.#target.port, address, (error) => {
      this.#pending--;
      if (error) this.#events.onError(error);
    });
  }

  async close(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (this.#pending > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    this.#closed = true;
    this.#backoff.stop();
    this.#open?.socket.close();
    this.#open = undefined;
  }

  /** Once: a name for each message would put them out of order. */
  #resolve(): void {
    lookup(this.#target.host, (error, address, family) => {
      if (this.#closed) return;
      if (error) {
        this.#events.onError(error);
        this.#backoff.again(() => this.#resolve());
        return;
      }
      const socket = createSocket(family === 6 ? "udp6" : "udp4");
      socket.on("error", (failure) => this.#events.onError(failure));
      socket.unref();
      this.#open = { socket, address };
      this.#events.onSession();
      this.#events.onReady();
    });
  }
}

class TcpLink implements Link {
  readonly maxBytes = TCP_BYTES;
  readonly reliable = true;
  readonly #target: IpfixTarget;
  readonly #events: LinkEvents;
  #socket: Socket | undefined;
  #connected = false;
  #full = false;
  #settling: NodeJS.Timeout | undefined;
  readonly #backoff = new Backoff();
  #closed = false;

  constructor(target: IpfixTarget, events: LinkEvents) {
    this.#target = target;
    this.#events = events;
    this.#connect();
  }

  get ready(): boolean {
    return this.#connected && !this.#full;
  }

  send(message: Uint8Array): void {
    this.#full = this.#socket?.write(message) === false;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#backoff.stop();
    clearTimeout(this.#settling);
    const socket = this.#socket;
    if (!socket) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      socket.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      if (this.#connected) socket.end();
      else socket.destroy();
    });
    socket.destroy();
  }

  #connect(): void {
    const { host, port } = this.#target;
    const socket = connect({ host, port, noDelay: true });
    this.#socket = socket;
    socket.on("connect", () => {
      this.#connected = true;
      this.#full = false;
      this.#settling = setTimeout(() => this.#backoff.succeeded(), SETTLED_MS);
      this.#settling.unref();
      this.#events.onSession();
      this.#events.onReady();
    });
    socket.on("drain", () => {
      this.#full = false;
      this.#events.onReady();
    });
    // IPFIX collectors say nothing; reading notices when they go.
    socket.resume();
    socket.on("error", (error) => this.#events.onError(error));
    socket.on("close", () => {
      this.#connected = false;
      clearTimeout(this.#settling);
      if (!this.#closed) this.#backoff.again(() => this.#connect());
    });
  }
}
