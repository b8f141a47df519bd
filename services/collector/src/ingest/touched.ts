import type { LossBatch, Presence } from "@waymark/proto/report";

/** A block that a report says something about. */
export interface TouchedBlock {
  readonly path: string;
  readonly intervalNs: bigint;
  readonly blockNumber: bigint;
}

/** Where a JOINED or LEFT changes who is expected. */
export interface Announcement {
  readonly path: string;
  readonly intervalNs: bigint;
  readonly atNs: bigint;
}

/** What a report changes of what has been told of losses. */
export interface Touched {
  readonly blocks: readonly TouchedBlock[];
  readonly announced: readonly Announcement[];
}

/** A report that has nothing to do with losses. */
export const TOUCHES_NOTHING: Touched = { blocks: [], announced: [] };

/** The blocks of a report. */
export function touchedByLoss({ blocks }: LossBatch): Touched {
  return {
    blocks: blocks.map(({ path, intervalNs, blockNumber }) => ({ path, intervalNs, blockNumber })),
    announced: [],
  };
}

/** The paths of an announcement. */
export function touchedByPresence({ paths, intervalNs, atNs }: Presence): Touched {
  return { blocks: [], announced: paths.map(({ path }) => ({ path, intervalNs, atNs })) };
}
