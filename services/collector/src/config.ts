import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { HostPort, LogLevel } from "@waymark/agent";

/** How one collector runs. */
export interface Config {
  /** gRPC ingest; on all addresses. */
  readonly grpcPort: number;
  /** Query API. */
  readonly listen: HostPort;
  /** NATS servers of one cluster; empty: no broker. */
  readonly nats: readonly string[];
  /** A directory, or the http(s) URL of a ClickHouse server. */
  readonly store: string;
  /** How long rows are kept, in seconds. */
  readonly retentionS: number;
  /** Print a line for every decided block. */
  readonly print: boolean;
  readonly metrics: HostPort | undefined;
  /** Renewed every second, for health checks without a port. */
  readonly healthFile: string | undefined;
  readonly logLevel: LogLevel;
}

/** Where an embedded store goes unless told otherwise: the system's state directory for root, else the user's. */
export function defaultStore(env: NodeJS.ProcessEnv, uid: number | undefined): string {
  if (uid === 0) return "/var/lib/waymark/collector";
  const state = env["XDG_STATE_HOME"];
  if (state?.startsWith("/")) return join(state, "waymark", "collector");
  const home = env["HOME"] || homedir();
  if (home !== "" && existsSync(home)) return join(home, ".local", "state", "waymark", "collector");
  return join("data", "collector");
}
