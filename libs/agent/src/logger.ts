import { pino } from "pino";
import { formatLogLine } from "./log-line.ts";

/** From the most talkative to none. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

/** How much is said. */
export type LogLevel = (typeof logLevels)[number];

/** What a log line may carry beside its event. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured logging: the event first, in words that do not change, then what varies. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Where log lines go. */
export interface LogStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** How to log. */
export interface LoggerOptions {
  /** The service; in every line. */
  readonly name: string;
  /** Default "info". */
  readonly level?: LogLevel;
  /** Default standard error. */
  readonly stream?: LogStream;
}

/** A logger: one JSON object a line, or a short readable line when the stream is a terminal. */
export function createLogger({ name, level = "info", stream = process.stderr }: LoggerOptions): Logger {
  const destination = stream.isTTY ? { write: (line: string) => stream.write(formatLogLine(line)) } : stream;
  const log = pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void destination.write(line) },
  );
  return {
    debug: (event, fields) => log.debug(plain(fields), event),
    info: (event, fields) => log.info(plain(fields), event),
    warn: (event, fields) => log.warn(plain(fields), event),
    error: (event, fields) => log.error(plain(fields), event),
  };
}

/** A logger that says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function plain(fields: LogFields = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return value.message;
  return value;
}
