import { CommandError, type CommandSpec, healthFileOption, logLevels, parseCommand } from "@waymark/agent";
import { type Config, defaultStore } from "./config.ts";

const DAY_S = 86_400;
const MAX_RETENTION_DAYS = 3650;
/** The gRPC ingest's port, as the altmark tool's examples have it. */
export const DEFAULT_GRPC_PORT = 12_345;

/** The command line of `collector`. */
export const collectorCommand = {
  name: "collector",
  version: "0.1.0",
  summary: "joins what sources and sinks counted, prints packet loss and answers queries",
  description:
    "Agents report over gRPC straight to GRPC_PORT, or over NATS. Without a broker nothing but this process is needed. " +
    "Neither the query API nor the gRPC ingest is authenticated: the API listens on localhost unless told otherwise.",
  positionals: [
    {
      name: "grpc_port",
      type: "port",
      default: String(DEFAULT_GRPC_PORT),
      help: "listen there for agents (gRPC), on all addresses; given on the command line it also turns --print on",
    },
  ],
  options: {
    listen: {
      type: "hostport",
      defaultHost: "localhost",
      default: "localhost:8080",
      help: "serve the query API there (Connect, gRPC and gRPC-Web on one port)",
    },
    nats: {
      type: "string",
      multiple: true,
      placeholder: "URL",
      help: "take reports from JetStream on this server (nats://HOST:4222); several are one cluster",
      check: (text) => (natsServer(text) === undefined ? "is not nats://HOST[:PORT]" : undefined),
    },
    store: {
      type: "string",
      placeholder: "DIR|URL",
      help: "keep the data in this directory, or in the ClickHouse server at http[s]://[USER:PASSWORD@]HOST:PORT[/DATABASE]",
      defaultText: "/var/lib/waymark/collector for root, else ~/.local/state/waymark/collector",
      check: (text) =>
        /^[a-z]+:\/\//i.test(text) && !isClickHouse(text) ? "is neither a directory nor http(s)://" : undefined,
    },
    retention: {
      type: "string",
      placeholder: "DAYS",
      default: "30",
      help: "drop what was stored longer ago, in days",
      check: (text) => (retentionDays(text) === undefined ? `is not 1 to ${MAX_RETENTION_DAYS} days` : undefined),
    },
    print: {
      type: "boolean",
      help: "print a line when a block's loss is known; on when GRPC_PORT is given or standard output is a terminal",
    },
    metrics: {
      type: "hostport",
      defaultHost: "localhost",
      help: "serve /metrics (Prometheus) and /healthz there; HOST is localhost unless given",
    },
    "health-file": healthFileOption,
    "log-level": { type: "enum", choices: logLevels, default: "info", help: "how much to say on standard error" },
  },
  examples: [
    { command: "npx --no collector 12345", help: "listen for agents on port 12345 and print the loss" },
    { command: "npx --no -- collector --nats nats://localhost:4222 --print", help: "take reports from NATS as well" },
    {
      command:
        "npx --no buf curl --http2-prior-knowledge --protocol grpc http://localhost:8080/waymark.query.v1.QueryService/ListLoss -d '{}'",
      help: "ask it",
    },
  ],
} as const satisfies CommandSpec;

/** What a command line asks for: to run, or to print a text and end. */
export type CommandLine = { readonly text: string } | { readonly config: Config };

/**
 * Reads the collector's command line and environment.
 *
 * @param terminal whether standard output is one
 * @throws CommandError (exit code 2)
 */
export function parseCommandLine(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  process: { readonly uid: number | undefined; readonly terminal: boolean },
): CommandLine {
  const result = parseCommand(collectorCommand, argv, env);
  if (result.kind !== "run") return { text: result.text };
  const { values, given } = result;
  const store = values.store ?? defaultStore(env, process.uid);
  if (store.trim() === "") throw new CommandError("--store is empty");
  return {
    config: {
      grpcPort: values.grpcPort,
      listen: values.listen,
      nats: values.nats,
      store,
      retentionS: (retentionDays(values.retention) ?? 30) * DAY_S,
      print: given.has("print") ? values.print : given.has("grpcPort") || process.terminal,
      metrics: values.metrics,
      healthFile: values.healthFile,
      logLevel: values.logLevel,
    },
  };
}

/** Whether a store is a ClickHouse server's URL. */
export function isClickHouse(store: string): boolean {
  return /^https?:\/\//i.test(store) && URL.canParse(store);
}

function natsServer(text: string): string | undefined {
  return /^(nats|tls):\/\/[^/\s]+\/?$/.test(text) ? text : undefined;
}

function retentionDays(text: string): number | undefined {
  const days = /^(\d{1,4})d?$/.exec(text)?.[1];
  const count = Number(days ?? 0);
  return count >= 1 && count <= MAX_RETENTION_DAYS ? count : undefined;
}
