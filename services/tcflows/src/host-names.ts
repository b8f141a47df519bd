import { Resolver } from "node:dns/promises";

/** Asks for the names of an address. */
export type Ask = (address: string) => Promise<readonly string[]>;

/** Addresses whose names are kept; the oldest beyond are forgotten. */
const MAX_NAMES = 16_384;
/** Questions under way; an address that finds no room is asked for with a later table. */
const MAX_QUESTIONS = 32;
const TIMEOUT_MS = 2000;
/** What may stand in a table: a name server must not draw on our terminal. */
const HARMLESS = /^[A-Za-z0-9._-]{1,253}$/;

/** Names of hosts, asked for in the background: the first table shows numbers. */
export class HostNames {
  readonly #ask: Ask;
  /** undefined: asked, and there is none, or not yet. */
  readonly #names = new Map<string, string | undefined>();
  #questions = 0;

  constructor(ask: Ask = askNameServer()) {
    this.#ask = ask;
  }

  /** The name of an address, if it is known by now. */
  host(address: string): string | undefined {
    if (!this.#names.has(address)) this.#find(address);
    return this.#names.get(address);
  }

  #find(address: string): void {
    if (this.#questions >= MAX_QUESTIONS) return;
    this.#questions++;
    this.#names.set(address, undefined);
    const [oldest] = this.#names.keys();
    if (this.#names.size > MAX_NAMES && oldest !== undefined) this.#names.delete(oldest);
    this.#ask(address)
      .then(([name]) => {
        if (name !== undefined && HARMLESS.test(name)) this.#names.set(address, name);
      })
      // Most addresses have no name.
      .catch(() => undefined)
      .finally(() => this.#questions--);
  }
}

function askNameServer(): Ask {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  return (address) => resolver.reverse(address);
}
