import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClockHealthSchema, ReportSchema } from "@waymark/proto/report";
import type { AgentIdentity } from "../identity.ts";
import type { Logger } from "../logger.ts";

/** One batch of results: `{ case: "loss", value: { blocks } }` and the like. At most 64 KiB when encoded. */
export type ReportPayload = Exclude<
  NonNullable<MessageInitShape<typeof ReportSchema>["payload"]>,
  { case: undefined } | { case?: undefined }
>;

/** The kernel's opinion of its clock. */
export type ClockHealthInit = MessageInitShape<typeof ClockHealthSchema>;

/** Bounds of a publisher; all have defaults. */
export interface PublisherLimits {
  /** Bytes of reports kept in memory for each target. Default 16 MiB. */
  readonly memoryBytes?: number;
  /** Bytes of spool files for each target. Default 256 MiB. */
  readonly spoolBytes?: number;
  /** Reports sent and not yet acknowledged, for each target. Default 256. */
  readonly inFlight?: number;
}

/** What a publisher needs. */
export interface PublisherOptions {
  /** nats://HOST:4222 or grpc://HOST:PORT; every report goes to all of them. None: reports are only counted. */
  readonly targets: readonly string[];
  readonly identity: AgentIdentity;
  /** `[A-Za-z0-9_-]{1,64}`, never used before by this identity. */
  readonly bootId: string;
  readonly kernelBootId: string;
  /** Asked once for every report. */
  readonly clock: () => ClockHealthInit;
  /** The wall clock in nanoseconds since the Unix epoch; asked at every transmission. */
  readonly nowNs: () => bigint;
  /** Cumulative counters by name; asked once for every report. */
  readonly counters: () => Readonly<Record<string, bigint>>;
  /** Reports survive this process here (a directory; made if missing). */
  readonly spoolDir?: string;
  readonly logger: Logger;
  readonly limits?: PublisherLimits;
  /** Called when `localEndpoints()` has changed, before the first packet goes to a new one. */
  readonly onEndpointsChange?: (endpoints: readonly Endpoint[]) => void;
}

/** An IP address and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * The state of one target. Always:
 * `published + recovered = acknowledged + refused + dropped + pending`.
 */
export interface TargetStats {
  /** As `ReportTarget.url`. */
  readonly target: string;
  readonly connected: boolean;
  /** Reports handed to `publish`. */
  readonly published: number;
  /** Reports of earlier boots found in the spool. */
  readonly recovered: number;
  /** Reports that the other side has stored. */
  readonly acknowledged: number;
  /** Reports that the other side will never take. */
  readonly refused: number;
  /** Reports given up here: no room in memory or on disk, too big, or spoiled on disk. */
  readonly dropped: number;
  /** Reports neither acknowledged nor given up. */
  readonly pending: number;
  /** Reports written to the spool, in total. */
  readonly spooled: number;
  /** Bytes that spool files take now. */
  readonly spoolBytes: number;
  /** Writes to the spool that failed; such reports are kept in memory instead. */
  readonly spoolErrors: number;
  /** Connections that were made after the first one. */
  readonly reconnects: number;
}

/** What a publisher has done. */
export interface PublisherStats {
  /** Reports handed to `publish`, whether there are targets or not. */
  readonly published: number;
  readonly targets: readonly TargetStats[];
}

/** Sends reports to all targets; trouble with them is its own affair. */
export interface Publisher {
  /**
   * Takes one batch: numbers it, encodes it, queues it. Never blocks, and never throws for trouble outside.
   * @throws TypeError for a payload that is none
   */
  publish(payload: ReportPayload): void;
  stats(): PublisherStats;
  /** Addresses and ports of the targets as resolved for the report connections: traffic to them is the agent's own. */
  localEndpoints(): readonly Endpoint[];
  /** Tries at once to deliver everything. True: all is acknowledged, refused or dropped; false: the time was not enough. */
  flush(options: { readonly deadlineMs: number }): Promise<boolean>;
  /** Ends all connections. What is pending stays in the spool; without a spool it is lost, and the log says how much. */
  close(): Promise<void>;
}
