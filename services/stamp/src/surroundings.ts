import type { WallClock } from "@waymark/probe";

/** Where output goes. */
export interface Terminal {
  readonly isTty: boolean;
  readonly columns: number;
  readonly write: (text: string) => void;
}

/** What an agent takes from its surroundings. */
export interface Surroundings {
  readonly clock: WallClock;
  readonly terminal: Terminal;
}
