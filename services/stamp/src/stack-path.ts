import { createSocket, type Socket } from "node:dgram";
import type { Logger } from "@waymark/agent";
import { type Address, familyOf, formatAddress, parseAddress } from "@waymark/packet";
import type { Mode } from "./codec/mode.ts";
import { REFLECTOR_FIELDS } from "./codec/reflector-packet.ts";
import type { Answered } from "./reflect/reflect.ts";
import type { CapturedRequest } from "./user-answer.ts";

/** What answers by the host's stack need. */
export interface StackPathOptions {
  readonly mode: Mode;
  /** To which link-local addresses belong. */
  readonly device: string;
  readonly port: number;
  /** Stands for T3 until the packet program has written it. */
  readonly cookie: bigint;
  /** A request that has come through the host's firewall. */
  readonly onRequest: (captured: CapturedRequest) => void;
  readonly logger: Logger;
}

/** Requests of either half that may wait for the other one. */
const MAX_WAITING = 4096;
/** So much of a request tells it from others of its sender. */
const HEAD_OCTETS = 16;
const TTL = 255;
const LINK_LOCAL = /^fe[89ab]/i;
const ZONE = /%.*$/;
/** Where an octet is zero in every answer, and tells the packet program TOS or Traffic Class on the way. */
const TOS_AT: Readonly<Record<Mode, number>> = { unauthenticated: 41, authenticated: 81 };

/**
 * Answers by way of the host's own stack, firewall included (`--via-stack`): the packet program tells when and how a request
 * arrived (T2, TTL, DSCP), a socket whether the host lets it in. Both halves together make a request.
 */
export class StackPath implements Disposable {
  readonly #options: StackPathOptions;
  readonly #sockets = new Map<string, Socket>();
  readonly #captured = new Map<string, CapturedRequest>();
  readonly #refused = new Set<string>();
  readonly #delivered = new Map<string, number>();
  #unmatched = 0n;

  constructor(options: StackPathOptions) {
    this.#options = options;
  }

  /** Requests that the host did not let in, or answers that could not be paired: forgotten for newer ones. */
  get unmatched(): bigint {
    return this.#unmatched;
  }

  /** Listens at exactly these addresses. Text, as netlink has them. */
  listen(addresses: readonly string[]): void {
    const wanted = new Map(
      addresses.flatMap((text) => {
        const address = parseAddress(text);
        return address ? [[formatAddress(address), address] as const] : [];
      }),
    );
    for (const [name, socket] of this.#sockets) {
      if (wanted.has(name)) continue;
      this.#sockets.delete(name);
      socket.close();
    }
    for (const [name, address] of wanted) if (!this.#sockets.has(name)) this.#open(name, address);
  }

  /** A link-local address is nothing without its interface. */
  #scoped(address: string): string {
    return LINK_LOCAL.test(address) ? `${address}%${this.#options.device}` : address;
  }

  #open(name: string, address: Address): void {
    const socket = createSocket({ type: familyOf(address) === 4 ? "udp4" : "udp6" });
    this.#sockets.set(name, socket);
    socket.on("error", (error) => {
      if (!this.#refused.has(name)) this.#options.logger.warn("cannot listen", { address: name, error: error.message });
      this.#refused.add(name);
      this.#sockets.delete(name);
    });
    socket.on("message", (octets, from) => this.#deliver(key(from.address.replace(ZONE, ""), from.port, octets)));
    socket.bind({ port: this.#options.port, address: this.#scoped(name), exclusive: true }, () => socket.setTTL(TTL));
  }

  /** The packet program has seen a request. */
  capture(captured: CapturedRequest): void {
    const { source, octets } = captured.request;
    const name = key(formatAddress(source.address), source.port, octets);
    const delivered = this.#delivered.get(name) ?? 0;
    if (delivered > 0) {
      if (delivered === 1) this.#delivered.delete(name);
      else this.#delivered.set(name, delivered - 1);
      this.#options.onRequest(captured);
      return;
    }
    this.#makeRoom(this.#captured);
    this.#captured.set(name, captured);
  }

  #deliver(name: string): void {
    const captured = this.#captured.get(name);
    if (captured) {
      this.#captured.delete(name);
      this.#options.onRequest(captured);
      return;
    }
    this.#makeRoom(this.#delivered);
    this.#delivered.set(name, (this.#delivered.get(name) ?? 0) + 1);
  }

  #makeRoom(waiting: Map<string, unknown>): void {
    if (waiting.size < MAX_WAITING) return;
    const [oldest] = waiting.keys();
    if (oldest !== undefined) waiting.delete(oldest);
    this.#unmatched++;
  }

  /** Sends an answer by a socket of its source address; false if there is none. */
  send({ octets, source, destination, dscp, ecn }: Answered): boolean {
    const { mode, cookie } = this.#options;
    const socket = this.#sockets.get(formatAddress(source.address));
    if (!socket) return false;
    const packet = Buffer.from(octets);
    packet.writeBigUInt64BE(cookie, REFLECTOR_FIELDS[mode].timestamp);
    packet.writeUInt8((dscp << 2) | ecn, TOS_AT[mode]);
    socket.send(packet, destination.port, this.#scoped(formatAddress(destination.address)), () => undefined);
    return true;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}

/** Tells a request from others: whose it is, its number and T1. */
function key(address: string, port: number, octets: Uint8Array): string {
  return `${address} ${port} ${Buffer.from(octets.subarray(0, HEAD_OCTETS)).toString("hex")}`;
}
