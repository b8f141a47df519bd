import { Code, ConnectError } from "@connectrpc/connect";
import { errorLine, type Logger } from "@waymark/agent";
import type { StoreClock } from "../clock.ts";
import { type Store, StoreError } from "../store/store.ts";

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
    if (error instanceof StoreError && error.exhausted) {
      log.warn("question not answered: it takes too much memory or time", { error: errorLine(error) });
      const why = "the answer takes too much memory or time: name a shorter range of time, or filter more";
      throw new ConnectError(why, Code.ResourceExhausted);
    }
    // The SQL and the engine's words are for the log, not for whoever asks.
    log.error("query failed", { error });
    throw new ConnectError("the store does not answer", Code.Unavailable);
  }
}
