import type { Summary } from "../stats/summary.ts";

/** A session, for those who show it. */
export interface SessionView {
  /** The reflector as the user named it. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** 0: none. */
  readonly ssid: number;
  readonly authenticated: boolean;
  readonly summary: Summary;
}
