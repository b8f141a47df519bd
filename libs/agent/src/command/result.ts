import type { CommandPart, CommandSpec, OptionTable, PositionalSpec } from "./command-spec.ts";

/** A host and a port; the host without brackets. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** "per-flow" → "perFlow", "packet_loss" → "packetLoss". */
export type CamelCase<S extends string> = S extends `${infer A}-${infer B}`
  ? `${A}${Capitalize<CamelCase<B>>}`
  : S extends `${infer A}_${infer B}`
    ? `${A}${Capitalize<CamelCase<B>>}`
    : S;

/** The result of one scalar; durations are nanoseconds. */
export type Scalar<O> = O extends { type: "boolean" }
  ? boolean
  : O extends { type: "number" | "integer" | "port" }
    ? number
    : O extends { type: "duration" }
      ? bigint
      : O extends { type: "hostport" }
        ? HostPort
        : O extends { type: "enum"; choices: readonly (infer C)[] }
          ? C
          : string;

type Item<O> = O extends { values: infer V extends readonly string[] }
  ? { readonly [K in keyof V]: Scalar<O> }
  : Scalar<O>;

type OptionValue<O> = O extends { multiple: true }
  ? readonly Item<O>[]
  : O extends { type: "boolean" } | { default: string } | { required: true }
    ? Item<O>
    : Item<O> | undefined;

type PositionalValue<P> = P extends { multiple: true }
  ? readonly Item<P>[]
  : P extends { default: string }
    ? Item<P>
    : P extends { optional: true }
      ? Item<P> | undefined
      : Item<P>;

type OptionValues<T> = T extends OptionTable
  ? { readonly [K in keyof T & string as CamelCase<K>]: OptionValue<T[K]> }
  : object;

type PositionalValues<T> = T extends readonly PositionalSpec[]
  ? { readonly [P in T[number] as CamelCase<P["name"]>]: PositionalValue<P> }
  : object;

type PartValues<C> = OptionValues<C extends { options: infer O } ? O : undefined> &
  PositionalValues<C extends { positionals: infer P } ? P : undefined>;

/** The values of a command or subcommand, by name in camel case. */
export type CommandValues<S extends CommandPart> = PartValues<S>;

/** The command is to run. `given` holds the names (camel case) that a flag, argument or the environment set. */
export interface Run<Command extends string | undefined, Values> {
  readonly kind: "run";
  readonly command: Command;
  readonly values: Values;
  readonly given: ReadonlySet<string>;
}

/** What `parseCommand` answers: run, or a text to print on standard output before exiting with 0. */
export type CommandResult<S extends CommandSpec> =
  | { readonly kind: "help" | "version"; readonly text: string }
  | (S extends { commands: infer C extends Readonly<Record<string, CommandPart>> }
      ? {
          [K in keyof C & string]: Run<
            K,
            PartValues<C[K]> & OptionValues<S extends { options: infer O } ? O : undefined>
          >;
        }[keyof C & string]
      : Run<undefined, PartValues<S>>);
