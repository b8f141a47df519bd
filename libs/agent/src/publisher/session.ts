import type { Endpoint } from "./publisher-api.ts";
import type { QueuedReport } from "./queued-report.ts";
import type { ReportTarget } from "./report-target.ts";

/** What the other side says of a report: stored, or refused for good. */
export type Outcome = { readonly refused?: string };

/** One connection to a target. */
export interface ReportSession {
  /** Sends one report. Rejects when it may succeed later. */
  send(report: QueuedReport): Promise<Outcome>;
  /** Resolves when the transport takes more without buffering. */
  writable(): Promise<void>;
  /** Resolves with the reason when the connection has ended, whoever ended it. */
  readonly closed: Promise<string>;
  close(): Promise<void>;
}

/** What a connection is made with. */
export interface ConnectOptions {
  readonly target: ReportTarget;
  /** Where the target's name leads to. */
  readonly endpoint: Endpoint;
  /** Named to the other side. */
  readonly clientName: string;
  /** The wall clock, asked at every transmission. */
  readonly nowNs: () => bigint;
  /** Gives the attempt up; a connection that is there is ended with `close`. */
  readonly signal: AbortSignal;
}

/** Makes a connection; rejects when there is none to be had now. */
export type Connect = (options: ConnectOptions) => Promise<ReportSession>;

/** A report that is not acknowledged in this time is sent again. */
export const ANSWER_TIMEOUT_MS = 5_000;

/** Loads the transport that a target needs, and only that one. */
export async function loadTransport({ scheme }: ReportTarget): Promise<Connect> {
  switch (scheme) {
    case "nats":
      return (await import("./nats-session.ts")).connectNats;
    case "grpc":
      return (await import("./grpc-session.ts")).connectGrpc;
  }
}
