import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "@waymark/agent";
import type { StoreClock } from "../clock.ts";
import type { Store } from "../store/store.ts";

/** What questions are answered from. */
export interface AnswerSources {
  readonly store: Store;
  readonly clock: StoreClock;
  readonly log: Logger;
}

/** Runs `work`; what fails in it is logged, and whoever asks is told that the store does not answer. */
export async function answer<T>(log: Logger, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    // The SQL and the engine's words are for the log, not for whoever asks.
    log.error("query failed", { error });
    throw new ConnectError("the store does not answer", Code.Unavailable);
  }
}
