import { CommandError } from "../errors.ts";
import type { OptionSpec, PositionalSpec } from "./command-spec.ts";
import { parseDuration } from "./duration.ts";
import { parseHostPort, parsePort } from "./host-port.ts";
import type { HostPort } from "./result.ts";
import { nearest } from "./suggest.ts";

/** Any value that the command line can hold. */
export type ScalarValue = string | number | bigint | boolean | HostPort;

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const TRUE = new Set(["true", "1", "yes", "on"]);
const FALSE = new Set(["false", "0", "no", "off"]);

/**
 * The value of `text` as `spec` says.
 * @param name how the user knows it: `--interval`, `WAYMARK_INTERVAL`, `IFACE`
 * @throws CommandError naming the value and what would be right
 */
export function parseScalar(spec: OptionSpec | PositionalSpec, name: string, text: string): ScalarValue {
  if (text === "") throw new CommandError(`${name}: the value is empty`);
  const value = convert(spec, name, text);
  const problem = spec.check?.(text);
  if (problem !== undefined) throw new CommandError(`${name}: "${text}" ${problem}`);
  return value;
}

function convert(spec: OptionSpec | PositionalSpec, name: string, text: string): ScalarValue {
  switch (spec.type) {
    case "string":
      return text;
    case "boolean":
      return parseBoolean(name, text);
    case "number":
    case "integer":
      return parseNumber(spec, name, text);
    case "port":
      return parsePort(text) ?? refuse(name, text, "is not a port from 1 to 65535");
    case "duration":
      return parseBoundedDuration(spec, name, text);
    case "hostport": {
      const form = spec.defaultHost === undefined ? "HOST:PORT" : "[HOST:]PORT";
      return (
        parseHostPort(text, spec.defaultHost) ??
        refuse(name, text, `is not ${form} with a port from 1 to 65535 (an IPv6 host stands in brackets)`)
      );
    }
    case "enum": {
      if (spec.choices.includes(text)) return text;
      const near = nearest(text, spec.choices);
      const hint = near === undefined ? "" : `; did you mean "${near}"?`;
      return refuse(name, text, `is not one of ${spec.choices.join(", ")}${hint}`);
    }
  }
}

function refuse(name: string, text: string, problem: string): never {
  throw new CommandError(`${name}: "${text}" ${problem}`);
}

function parseBoolean(name: string, text: string): boolean {
  const lower = text.toLowerCase();
  if (TRUE.has(lower)) return true;
  if (FALSE.has(lower)) return false;
  return refuse(name, text, "is neither true nor false");
}

interface NumberLimits {
  readonly type: "number" | "integer";
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
}

function parseNumber(spec: NumberLimits, name: string, text: string): number {
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  const whole = spec.type === "integer";
  if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
    return refuse(name, text, `is not ${whole ? "a whole number" : "a number"}${range(spec)}`);
  }
  if (value < (spec.min ?? -Infinity) || value > (spec.max ?? Infinity)) {
    return refuse(name, text, `is not${range(spec)}`);
  }
  return value;
}

function range({ min, max, unit }: NumberLimits): string {
  const suffix = unit === undefined ? "" : ` ${unit}`;
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}${suffix}`;
  if (min !== undefined) return ` ${min}${suffix} or more`;
  if (max !== undefined) return ` ${max}${suffix} or less`;
  return "";
}

interface DurationLimits {
  readonly unit: "s" | "ms";
  readonly min?: string;
  readonly max?: string;
}

function parseBoundedDuration(spec: DurationLimits, name: string, text: string): bigint {
  const bare = spec.unit === "s" ? "seconds" : "milliseconds";
  const ns = parseDuration(text, spec.unit);
  if (ns === undefined) return refuse(name, text, `is not a duration like 5s or 100ms (a bare number is ${bare})`);
  if (spec.min !== undefined && ns < (parseDuration(spec.min, spec.unit) ?? 0n)) {
    return refuse(name, text, `is less than ${spec.min}`);
  }
  if (spec.max !== undefined && ns > (parseDuration(spec.max, spec.unit) ?? 0n)) {
    return refuse(name, text, `is more than ${spec.max}`);
  }
  return ns;
}
