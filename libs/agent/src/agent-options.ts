import type { OptionSpec, OptionTable } from "./command/command-spec.ts";
import { isIdentifier } from "./identity.ts";
import { logLevels } from "./logger.ts";
import { reportTargetProblem } from "./publisher/report-target.ts";

/** Where the metrics server listens unless a host is given: nobody outside asks for it by accident. */
export const DEFAULT_LISTEN_HOST = "localhost";

/** The option of all services whose health is asked for without a port, as in a container. */
export const healthFileOption = {
  type: "string",
  placeholder: "FILE",
  help: "keep a file that says `healthy`, or what is wrong, and is renewed every second",
} as const satisfies OptionSpec;

/** The options that every agent has; spread them into a command's own table. */
export const agentOptions = {
  report: {
    type: "string",
    multiple: true,
    placeholder: "URL",
    help: "send the results to nats://HOST:4222 or grpc://HOST:PORT; without it they go to the terminal only",
    check: reportTargetProblem,
  },
  "agent-id": {
    type: "string",
    placeholder: "NAME",
    help: "this agent's name in all results",
    defaultText: "the short host name",
    check: (text) => (isIdentifier(text) ? undefined : "is not an agent id: 1 to 64 of A-Z a-z 0-9 _ -"),
  },
  spool: {
    type: "string",
    placeholder: "DIR",
    help: "keep results that are not yet delivered in this directory, so that they outlive this process",
  },
  metrics: {
    type: "hostport",
    defaultHost: DEFAULT_LISTEN_HOST,
    help: "serve /metrics (Prometheus) and /healthz there; HOST is localhost unless given",
  },
  "health-file": healthFileOption,
  "log-level": { type: "enum", choices: logLevels, default: "info", help: "how much to say on standard error" },
  format: { type: "enum", choices: ["text", "jsonl"], default: "text", help: "results on standard output" },
  "trust-clock": {
    type: "boolean",
    help: "vouch for this host's clock although the kernel calls it unsynchronised",
  },
  order: {
    type: "enum",
    choices: ["first", "last"],
    default: "first",
    help: "run before or after other programs on the interface",
  },
} as const satisfies OptionTable;
