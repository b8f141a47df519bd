import { readFileSync, statSync } from "node:fs";
import { CommandError, type Logger } from "@waymark/agent";
import { type AuthKeys, parseAuthKeys } from "./auth-keys.ts";
import { type HmacState, hmacState } from "./codec/hmac-state.ts";
import { ANY_SSID } from "./reflector-programs.ts";

/** The keys of a file, which may be replaced while we run. */
export class KeyRing {
  readonly #path: string;
  readonly #option: string;
  #keys: AuthKeys;
  #version: string;

  /** @throws CommandError when the file cannot be read, or holds no keys */
  constructor(path: string, option = "--auth-key-file") {
    this.#path = path;
    this.#option = option;
    this.#version = this.#versionNow();
    this.#keys = this.#read();
  }

  get keys(): AuthKeys {
    return this.#keys;
  }

  /** What the packet programs need of them, by SSID. */
  states(): ReadonlyMap<number, HmacState> {
    const { bySsid, any } = this.#keys;
    const states = new Map(Array.from(bySsid, ([ssid, key]) => [ssid, hmacState(key)]));
    if (any) states.set(ANY_SSID, hmacState(any));
    return states;
  }

  /** Reads the file again if it was replaced; true if there are other keys now. The old ones stay when it cannot be read. */
  refresh(logger: Logger): boolean {
    const version = this.#versionNow();
    if (version === this.#version) return false;
    this.#version = version;
    try {
      this.#keys = this.#read();
    } catch (error) {
      logger.warn("keys not replaced, the old ones stay", { error: (error as Error).message });
      return false;
    }
    logger.info("keys replaced", { file: this.#path });
    return true;
  }

  #versionNow(): string {
    const state = statSync(this.#path, { throwIfNoEntry: false });
    return state ? `${state.ino}/${state.mtimeMs}/${state.ctimeMs}/${state.size}` : "gone";
  }

  #read(): AuthKeys {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      throw new CommandError(`${this.#option} ${this.#path}: ${(error as Error).message}`, { cause: error });
    }
    const result = parseAuthKeys(text);
    if (!result.ok) throw new CommandError(`${this.#option} ${this.#path}: ${result.reason}`);
    return result.keys;
  }
}
