export { agentOptions, DEFAULT_LISTEN_HOST, healthFileOption } from "./agent-options.ts";
export type {
  CommandPart,
  CommandSpec,
  Environment,
  Example,
  OptionSpec,
  OptionTable,
  PositionalSpec,
} from "./command/command-spec.ts";
export { parseDuration } from "./command/duration.ts";
export { formatHelp } from "./command/help.ts";
export { formatHostPort, parseHostPort } from "./command/host-port.ts";
export { parseCommand } from "./command/parse.ts";
export type { CommandResult, CommandValues, HostPort, Run } from "./command/result.ts";
export {
  AGENT_ERROR_CODES,
  AgentError,
  type AgentErrorCode,
  CommandError,
  errorLine,
  exitCodeOf,
  exitCodes,
  UnsupportedError,
} from "./errors.ts";
export { Health, type HealthState } from "./health.ts";
export { HEALTH_FILE_PERIOD_MS, keepHealthFile } from "./health-file.ts";
export {
  type AgentIdentity,
  agentIdOf,
  bootId,
  type HostIdentity,
  hostIdentity,
  isIdentifier,
  newBootId,
} from "./identity.ts";
export {
  createLogger,
  type LogFields,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  type LogStream,
  logLevels,
  silentLogger,
} from "./logger.ts";
export { counterMetrics, type Metric, type MetricSample, publisherMetrics } from "./metrics.ts";
export { type MetricsServer, type MetricsServerOptions, startMetricsServer } from "./metrics-server.ts";
export { packageVersion } from "./package-version.ts";
export { createPublisher, MAX_REPORT_BYTES } from "./publisher/publisher.ts";
export type {
  ClockHealthInit,
  Endpoint,
  Publisher,
  PublisherLimits,
  PublisherOptions,
  PublisherStats,
  ReportPayload,
  TargetStats,
} from "./publisher/publisher-api.ts";
export { parseReportTarget, type ReportTarget, reportTargetProblem } from "./publisher/report-target.ts";
export { type MainContext, runMain } from "./run-main.ts";
