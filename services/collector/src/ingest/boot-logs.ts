import type { Store } from "../store/store.ts";
import type { BootLog } from "./boot-log.ts";
import { BootReader } from "./boot-reader.ts";
import { bootName, type ReportKey } from "./report-key.ts";

/** Boots kept in memory; one that is forgotten is read back from the store when it reports again. */
export const MAX_BOOTS = 20_000;

interface Entry {
  readonly log: Promise<BootLog>;
  users: number;
}

/** The boots that report, each with what is stored of it: in memory the latest ones, in the store all. */
export class BootLogs {
  readonly #reader: BootReader;
  readonly #limit: number;
  // In the order of use, the latest last.
  readonly #entries = new Map<string, Entry>();

  constructor(store: Store, limit = MAX_BOOTS) {
    this.#reader = new BootReader(store);
    this.#limit = limit;
  }

  /** Runs `work` with the boot's log, read back from the store if need be; it is not forgotten meanwhile. */
  async use<T>(key: ReportKey, work: (log: BootLog) => Promise<T>): Promise<T> {
    const name = bootName(key);
    const entry = this.#entries.get(name) ?? { log: this.#reader.read(key), users: 0 };
    entry.users++;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    try {
      return await work(await this.#loaded(name, entry));
    } finally {
      entry.users--;
      this.#forget();
    }
  }

  /** Asks the store for one report that a log has forgotten. */
  isStored(key: ReportKey): Promise<boolean> {
    return this.#reader.has(key);
  }

  async #loaded(name: string, entry: Entry): Promise<BootLog> {
    try {
      return await entry.log;
    } catch (error) {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
      throw error;
    }
  }

  #forget(): void {
    if (this.#entries.size <= this.#limit) return;
    for (const [name, { users }] of this.#entries) {
      if (users === 0) this.#entries.delete(name);
      if (this.#entries.size <= this.#limit) return;
    }
  }
}
