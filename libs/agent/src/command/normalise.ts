import { CommandError } from "../errors.ts";
import type { OptionSpec, OptionTable } from "./command-spec.ts";
import { nearest } from "./suggest.ts";

/** The same command line in one spelling: every option `--name=value`, positional arguments apart. */
export interface NormalArguments {
  readonly options: readonly string[];
  readonly positionals: readonly string[];
}

/** A command line under way: tokens are taken from the front of `rest`. */
interface Cursor {
  readonly rest: string[];
  readonly known: Spellings;
}

/** An option and its long name. */
interface KnownOption {
  readonly name: string;
  readonly spec: OptionSpec;
}

type Spellings = ReadonlyMap<string, KnownOption>;

const NEGATIVE_NUMBER = /^-(?:\d|\.\d)/;

/** Every spelling of every option, dashes included. */
export function spellings(table: OptionTable): Map<string, KnownOption> {
  const known = new Map<string, KnownOption>();
  for (const [name, spec] of Object.entries(table)) {
    for (const spelling of [`--${name}`, ...(spec.aliases ?? [])]) known.set(spelling, { name, spec });
  }
  return known;
}

/**
 * Brings a command line of the suite's tools, old and new, into the one spelling that `util.parseArgs` reads:
 * single-dash long names (`-packet_loss`, `-freq=5s`), joined values (`-c100`), bundles (`-TC`), negative values,
 * options with several values. `--` ends the options.
 *
 * @throws CommandError for an unknown option, a missing value, a value where none belongs
 */
export function normaliseArguments(argv: readonly string[], table: OptionTable): NormalArguments {
  const cursor: Cursor = { rest: [...argv], known: spellings(table) };
  const options: string[] = [];
  const positionals: string[] = [];
  for (let token = cursor.rest.shift(); token !== undefined; token = cursor.rest.shift()) {
    if (token === "--") positionals.push(...cursor.rest.splice(0));
    else if (isPositional(token, cursor.known)) positionals.push(token);
    else options.push(...readOption(token, cursor));
  }
  return { options, positionals };
}

/**
 * Where the first positional argument stands (that is where a subcommand is named), or -1.
 * @throws CommandError as `normaliseArguments`, for what stands before it
 */
export function firstPositional(argv: readonly string[], table: OptionTable): number {
  const cursor: Cursor = { rest: [...argv], known: spellings(table) };
  for (let token = cursor.rest.shift(); token !== undefined; token = cursor.rest.shift()) {
    if (token === "--") return -1;
    if (isPositional(token, cursor.known)) return argv.length - cursor.rest.length - 1;
    readOption(token, cursor);
  }
  return -1;
}

function isPositional(token: string, known: Spellings): boolean {
  if (!token.startsWith("-") || token === "-") return true;
  return NEGATIVE_NUMBER.test(token) && !known.has(token) && !known.has(token.slice(0, 2));
}

function readOption(token: string, cursor: Cursor): string[] {
  const equals = token.indexOf("=");
  const spelling = equals < 0 ? token : token.slice(0, equals);
  const option = cursor.known.get(spelling);
  if (option !== undefined) {
    return take(option, spelling, equals < 0 ? undefined : token.slice(equals + 1), cursor);
  }
  if (token.startsWith("--")) throw unknownOption(spelling, cursor.known);
  return readBundle(token, cursor);
}

/** `-c100`, `-TC`, `-TCr50`: letters of options without a value, then at most one with a value. */
function readBundle(token: string, cursor: Cursor): string[] {
  const out: string[] = [];
  const letters = [...token.slice(1)];
  for (let i = 0; i < letters.length; i++) {
    const letter = `-${letters[i]}`;
    const option = cursor.known.get(letter);
    if (option === undefined) throw unknownOption(token.replace(/=.*/s, ""), cursor.known);
    const joined = letters.slice(i + 1).join("");
    if (option.spec.type !== "boolean") {
      return [...out, ...take(option, letter, joined === "" ? undefined : joined, cursor)];
    }
    if (joined.startsWith("=")) return [...out, ...take(option, letter, joined.slice(1), cursor)];
    out.push(`--${option.name}=true`);
  }
  return out;
}

function take(option: KnownOption, spelling: string, joined: string | undefined, cursor: Cursor): string[] {
  const { name, spec } = option;
  if (spec.type === "boolean") return [`--${name}=${joined ?? "true"}`];
  const count = spec.values?.length ?? 1;
  const values = joined === undefined ? [] : count > 1 ? joined.split(",") : [joined];
  while (values.length < count) values.push(nextValue(option, spelling, cursor));
  if (values.length > count) throw new CommandError(`${spelling}: "${joined}" has more than ${count} values`);
  return values.map((value) => `--${name}=${value}`);
}

function nextValue({ spec }: KnownOption, spelling: string, { rest, known }: Cursor): string {
  const wanted = spec.values === undefined ? "a value" : `${spec.values.length} values (${spec.values.join(" ")})`;
  const value = rest.shift();
  if (value === undefined) throw new CommandError(`${spelling} needs ${wanted}`);
  if (NEGATIVE_NUMBER.test(value) && spec.type !== "string") return value;
  if (value === "--" || known.has(value.replace(/=.*/s, ""))) {
    throw new CommandError(
      `${spelling} needs ${wanted}, but "${value}" follows it (to mean that: ${spelling}=${value})`,
    );
  }
  return value;
}

function unknownOption(spelling: string, known: Spellings): CommandError {
  const near = nearest(spelling, known.keys());
  const hint = near === undefined ? "see --help" : `did you mean ${near}?`;
  return new CommandError(`unknown option ${spelling}; ${hint}`);
}
