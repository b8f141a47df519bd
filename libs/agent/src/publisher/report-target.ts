import { formatHostPort, parseHostPort } from "../command/host-port.ts";
import type { HostPort } from "../command/result.ts";
import { CommandError } from "../errors.ts";

/** Where reports go. */
export interface ReportTarget extends HostPort {
  readonly scheme: "nats" | "grpc";
  /** Written out in full; the target's name in logs and counters. */
  readonly url: string;
}

const TARGET = /^(nats|grpc):\/\/(.+?)\/?$/;
const NATS_PORT = 4222;

/**
 * Reads nats://HOST[:4222] or grpc://HOST:PORT.
 * @throws CommandError
 */
export function parseReportTarget(text: string): ReportTarget {
  const target = read(text);
  if (target === undefined) throw new CommandError(`--report: "${text}" ${reportTargetProblem(text)}`);
  return target;
}

/** What is wrong with a report target, or undefined. */
export function reportTargetProblem(text: string): string | undefined {
  return read(text) === undefined ? "is neither nats://HOST:4222 nor grpc://HOST:PORT" : undefined;
}

function read(text: string): ReportTarget | undefined {
  const [, scheme, place = ""] = TARGET.exec(text) ?? [];
  if (scheme !== "nats" && scheme !== "grpc") return undefined;
  if (/[/@?#]/.test(place)) return undefined;
  const endpoint = parseHostPort(place) ?? (scheme === "nats" ? parseHostPort(`${place}:${NATS_PORT}`) : undefined);
  return endpoint && { scheme, ...endpoint, url: `${scheme}://${formatHostPort(endpoint)}` };
}
