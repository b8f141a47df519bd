import { parseArgs } from "node:util";
import { CommandError } from "../errors.ts";
import type { CommandPart, CommandSpec, Environment, OptionSpec, OptionTable, PositionalSpec } from "./command-spec.ts";
import { formatHelp } from "./help.ts";
import { camelCase, environmentName, optionTable, positionalLabel, standardOptions } from "./names.ts";
import { firstPositional, type NormalArguments, normaliseArguments } from "./normalise.ts";
import type { CommandResult } from "./result.ts";
import { parseScalar, type ScalarValue } from "./scalar.ts";
import { nearest } from "./suggest.ts";

type Value = ScalarValue | readonly ScalarValue[] | readonly (readonly ScalarValue[])[] | undefined;

interface Values {
  readonly values: Record<string, Value>;
  readonly given: Set<string>;
}

/**
 * Reads a command line. A flag beats the environment, the environment beats the default; an environment variable
 * that is empty counts as not set. Of an option given twice the last one holds, unless it is `multiple`.
 *
 * @param argv without node and script
 * @returns the values by camel-case name, or the text that `--help` or `--version` asks for
 * @throws CommandError (exit code 2), and nothing else, whatever argv and env hold
 */
export function parseCommand<const S extends CommandSpec>(
  spec: S,
  argv: readonly string[],
  env: Environment,
): CommandResult<S> {
  return parseAny(spec, argv, env) as CommandResult<S>;
}

function parseAny(spec: CommandSpec, argv: readonly string[], env: Environment) {
  const { command, part, rest } = chooseCommand(spec, argv);
  const table = { ...optionTable(spec, command), ...standardOptions };
  const flags = collect(normaliseArguments(rest, table), table);
  const { help, version } = flags.options as { help?: unknown; version?: unknown };
  if (help !== undefined) return { kind: "help" as const, text: formatHelp(spec, command) };
  if (version !== undefined) return { kind: "version" as const, text: `${spec.name} ${spec.version}\n` };
  if (part === undefined) {
    throw new CommandError(`which of ${Object.keys(spec.commands ?? {}).join(", ")}? (see ${spec.name} --help)`);
  }
  const out: Values = { values: {}, given: new Set() };
  readOptions(optionTable(spec, command), flags.options, env, out);
  readPositionals(part.positionals ?? [], flags.positionals, env, out);
  return { kind: "run" as const, command, ...out };
}

interface Choice {
  readonly command: string | undefined;
  readonly part: CommandPart | undefined;
  /** The command line without the subcommand's name. */
  readonly rest: readonly string[];
}

function chooseCommand(spec: CommandSpec, argv: readonly string[]): Choice {
  if (spec.commands === undefined) return { command: undefined, part: spec, rest: argv };
  const ofCommands = Object.values(spec.commands).map((part) => part.options ?? {});
  const table: OptionTable = Object.assign({}, ...ofCommands.reverse(), spec.options, standardOptions);
  const index = firstPositional(argv, table);
  const name = argv[index];
  if (name === undefined) return { command: undefined, part: undefined, rest: argv };
  const part = Object.hasOwn(spec.commands, name) ? spec.commands[name] : undefined;
  if (part === undefined) {
    const names = Object.keys(spec.commands);
    const near = nearest(name, names);
    const hint = near === undefined ? `one of ${names.join(", ")} belongs there` : `did you mean ${near}?`;
    throw new CommandError(`unknown command "${name}"; ${hint}`);
  }
  return { command: name, part, rest: argv.toSpliced(index, 1) };
}

interface Collected {
  readonly options: Readonly<Record<string, readonly string[] | undefined>>;
  readonly positionals: readonly string[];
}

function collect(args: NormalArguments, table: OptionTable): Collected {
  const options = Object.fromEntries(
    Object.keys(table).map((name) => [name, { type: "string", multiple: true } as const]),
  );
  const parsed = parseArgs({
    args: [...args.options, "--", ...args.positionals],
    options,
    allowPositionals: true,
    strict: true,
  });
  return { options: parsed.values, positionals: parsed.positionals };
}

function readOptions(table: OptionTable, flags: Collected["options"], env: Environment, out: Values): void {
  for (const [name, spec] of Object.entries(table)) {
    const key = camelCase(name);
    const variable = environmentName(name, spec);
    const fromEnv = variable === undefined ? undefined : env[variable];
    const flag = flags[name];
    if (flag !== undefined) {
      out.given.add(key);
      out.values[key] = readValue(spec, `--${name}`, flag);
    } else if (variable !== undefined && fromEnv) {
      out.given.add(key);
      out.values[key] = readValue(spec, variable, environmentTexts(spec, variable, fromEnv));
    } else if (spec.default !== undefined) {
      out.values[key] = readValue(spec, `default of --${name}`, environmentTexts(spec, `--${name}`, spec.default));
    } else if (spec.required === true) {
      throw new CommandError(`--${name} is missing${variable === undefined ? "" : ` (or ${variable})`}`);
    } else {
      out.values[key] = spec.multiple ? [] : spec.type === "boolean" ? false : undefined;
    }
  }
}

/** The texts in one environment variable or default: several of a repeatable option, several values of one option. */
function environmentTexts(spec: OptionSpec | PositionalSpec, name: string, text: string): string[] {
  const items = spec.multiple ? text.split(";").filter((item) => item.trim() !== "") : [text];
  if (!("values" in spec) || spec.values === undefined) return items;
  const { values } = spec;
  return items.flatMap((item) => {
    const parts = item.trim().split(/[\s,]+/);
    if (parts.length !== values.length) {
      throw new CommandError(`${name}: "${item}" is not ${values.length} values (${values.join(" ")})`);
    }
    return parts;
  });
}

function readValue(spec: OptionSpec | PositionalSpec, name: string, texts: readonly string[]): Value {
  const arity = "values" in spec && spec.values !== undefined ? spec.values.length : 0;
  if (arity > 0) {
    const scalars = texts.map((text) => parseScalar(spec, name, text));
    const groups = Array.from({ length: scalars.length / arity }, (_, i) => scalars.slice(i * arity, (i + 1) * arity));
    return spec.multiple ? groups : groups.at(-1);
  }
  const separator = spec.multiple ? spec.separator : undefined;
  const split = separator === undefined ? texts : texts.flatMap((text) => text.split(separator));
  // All are checked, also those of which only the last one holds.
  const scalars = split.map((text) => parseScalar(spec, name, text.trim() === "" ? "" : text));
  return spec.multiple ? scalars : scalars.at(-1);
}

function readPositionals(specs: readonly PositionalSpec[], texts: readonly string[], env: Environment, out: Values) {
  let left = [...texts];
  let previousGiven = true;
  for (const spec of specs) {
    const taken = spec.multiple ? left : left.slice(0, 1);
    left = spec.multiple ? [] : left.slice(1);
    const given = readPositional(spec, taken, env, out);
    if (spec.withPrevious && given !== previousGiven) {
      const before = specs[specs.indexOf(spec) - 1];
      const [missing, other] = given ? [before, spec] : [spec, before];
      throw new CommandError(`${label(missing)} is missing: it goes with ${label(other)}`);
    }
    previousGiven = given;
  }
  const surplus = left[0];
  if (surplus !== undefined) throw new CommandError(`"${surplus}" is one argument too many (see --help)`);
}

function readPositional(spec: PositionalSpec, taken: readonly string[], env: Environment, out: Values): boolean {
  const key = camelCase(spec.name);
  const variable = environmentName(spec.name, spec);
  const fromEnv = variable === undefined ? undefined : env[variable];
  if (taken.length > 0) {
    out.values[key] = readValue(spec, positionalLabel(spec), taken);
  } else if (variable !== undefined && fromEnv) {
    out.values[key] = readValue(spec, variable, environmentTexts(spec, variable, fromEnv));
  } else {
    if (spec.default !== undefined) {
      const texts = environmentTexts(spec, positionalLabel(spec), spec.default);
      out.values[key] = readValue(spec, positionalLabel(spec), texts);
    } else if (spec.optional) {
      out.values[key] = spec.multiple ? [] : undefined;
    } else {
      throw new CommandError(`${positionalLabel(spec)} is missing${variable === undefined ? "" : ` (or ${variable})`}`);
    }
    return false;
  }
  out.given.add(key);
  return true;
}

function label(spec: PositionalSpec | undefined): string {
  return spec === undefined ? "" : positionalLabel(spec);
}
