import type { Logger } from "@waymark/agent";
import type { LossListener } from "./loss-feed.ts";
import { hintFor, reasonName, verdictName } from "./verdict.ts";

/** Paths and verdicts that are told apart. */
const MAX_KNOWN = 1000;

/** Logs what to do about blocks that are not COMPLETE: once when a path gets into a state, not for every block. */
export class HintLog {
  readonly #log: Logger;
  readonly #last = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Hears of blocks. */
  readonly listener: LossListener = (changes) => {
    for (const { row } of changes) {
      const state = [verdictName(row.verdict), ...row.reasons.map(reasonName)].join(" ");
      const key = `${row.path}/${row.flow}`;
      if (this.#last.get(key) === state) continue;
      this.#last.delete(key);
      this.#last.set(key, state);
      const oldest = this.#last.keys().next();
      if (this.#last.size > MAX_KNOWN && !oldest.done) this.#last.delete(oldest.value);
      const hint = hintFor(row.verdict, row.reasons);
      if (hint !== "") this.#log.warn("loss not known exactly", { path: row.path, flow: row.flow, state, hint });
    }
  };
}
