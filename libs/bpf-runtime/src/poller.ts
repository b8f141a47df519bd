import { check } from "./errors.ts";
import { native } from "./native.ts";

/** Waiting for a descriptor to become readable, without a thread and without polling. */
export class Poller {
  readonly #name: string;
  readonly #id: number;
  #wake: (() => void) | undefined;
  #closed = false;

  /** The descriptor must stay open as long as this. */
  constructor(fd: number, name: string) {
    this.#name = name;
    this.#id = check(
      native().pollOpen(fd, () => this.#wake?.()),
      "poll",
      name,
    );
  }

  /** Resolves once the descriptor is readable or this is closed. One waiter at a time; it keeps the process alive. */
  async readable(): Promise<void> {
    if (this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    check(native().pollArm(this.#id), "poll", this.#name);
    await promise;
    this.#wake = undefined;
  }

  /** Again: nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    native().pollClose(this.#id);
    this.#wake?.();
  }
}
