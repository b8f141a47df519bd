import { Code, ConnectError } from "@connectrpc/connect";
import type { LossFeed } from "../loss-feed.ts";
import type { LossRow } from "../verdict.ts";

/** Which changes a watcher wants; an empty text does not filter. */
export interface WatchFilter {
  readonly path: string;
  readonly flow: string;
  readonly agent: string;
}

/** Changes that wait for one watcher; one that is slower than that is told so and let go. */
const MAX_WAITING = 20_000;
/** Watchers at once. */
export const MAX_WATCHERS = 500;

const watchers = new WeakMap<LossFeed, number>();

/**
 * The blocks that are decided or change from now on.
 *
 * @throws ConnectError ResourceExhausted when there are too many watchers or this one reads too slowly
 */
export async function* watchLoss(feed: LossFeed, filter: WatchFilter, signal: AbortSignal): AsyncGenerator<LossRow> {
  const count = watchers.get(feed) ?? 0;
  if (count >= MAX_WATCHERS) throw new ConnectError(`${MAX_WATCHERS} watchers are the limit`, Code.ResourceExhausted);
  watchers.set(feed, count + 1);
  const waiting: LossRow[] = [];
  let tooSlow = false;
  let wake = () => {};
  const onAbort = () => wake();
  const unsubscribe = feed.subscribe((changes) => {
    for (const { row } of changes) {
      if (!matches(row, filter)) continue;
      if (waiting.length >= MAX_WAITING) tooSlow = true;
      else waiting.push(row);
    }
    wake();
  });
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    while (!signal.aborted && !feed.closed) {
      for (const row of waiting.splice(0)) yield row;
      if (tooSlow) throw new ConnectError(`more than ${MAX_WAITING} changes wait to be read`, Code.ResourceExhausted);
      if (waiting.length > 0 || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (signal.aborted) resolve();
      });
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", onAbort);
    watchers.set(feed, (watchers.get(feed) ?? 1) - 1);
  }
}

function matches(row: LossRow, { path, flow, agent }: WatchFilter): boolean {
  return (
    (path === "" || row.path === path) &&
    (flow === "" || row.flow === flow) &&
    (agent === "" || row.agents.includes(agent))
  );
}
