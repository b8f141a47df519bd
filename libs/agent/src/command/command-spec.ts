/** What every option and every positional argument has. */
interface ValueBase {
  /** One or two sentences for `--help`. */
  readonly help: string;
  /** The value's name in `--help`, upper case; default: made from the type or the name. */
  readonly placeholder?: string;
  /** The environment variable; default `WAYMARK_` + the name in upper snake case; false: none. */
  readonly env?: string | false;
  /** May be given more than once; the environment variable splits on `;`. The result is an array, empty by default. */
  readonly multiple?: boolean;
  /** With `multiple`: one value may also hold several, separated by this ("eth0,eth1"). */
  readonly separator?: string;
  /** Taken when neither flag nor environment says otherwise, written as a user would write it. */
  readonly default?: string;
  /** Says in `--help` what happens without a value when there is no fixed default ("a quarter of the interval"). */
  readonly defaultText?: string;
  /** Returns what is wrong with the text, or undefined. Runs after the type's own checks. */
  readonly check?: (text: string) => string | undefined;
}

interface TextType {
  readonly type: "string";
}

interface BooleanType {
  readonly type: "boolean";
}

/** `min` and `max` are inclusive. */
interface NumericType {
  readonly type: "number" | "integer";
  /** For `--help`: "packets", "packets/s". */
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
}

interface PortType {
  readonly type: "port";
}

/** The result is nanoseconds (bigint). Takes "5s", "100ms", "1m30s", or a bare number of `unit`. Never negative. */
interface DurationType {
  readonly type: "duration";
  /** Unit of a bare number. */
  readonly unit: "s" | "ms";
  /** Inclusive, written like a value: "1ms". */
  readonly min?: string;
  readonly max?: string;
}

interface EnumType {
  readonly type: "enum";
  readonly choices: readonly string[];
}

/** HOST:PORT; with `defaultHost` also PORT alone. An IPv6 host stands in brackets. */
interface HostPortType {
  readonly type: "hostport";
  readonly defaultHost?: string;
}

/** The type of a value. */
export type ValueType = TextType | BooleanType | NumericType | PortType | DurationType | EnumType | HostPortType;

/** One option. Its key in the table is the long name; `--key` always works. */
export type OptionSpec = ValueType &
  ValueBase & {
    /** Other spellings, with their dashes: `-i`, `-packet_loss`, `--iface`. */
    readonly aliases?: readonly string[];
    /** Names of the values of an option that takes several: `["BINS", "MIN", "MAX"]`. The result is an array of them. */
    readonly values?: readonly string[];
    /** Must be given (or have a default). */
    readonly required?: boolean;
  };

/** One positional argument. Required unless `optional`, `default` or the environment provides it. */
export type PositionalSpec = Exclude<ValueType, BooleanType> &
  ValueBase & {
    /** Lower case; the key of the result in camel case. */
    readonly name: string;
    readonly optional?: boolean;
    /** Either both this and the one before it, or neither: `[COLLECTOR PORT]`. */
    readonly withPrevious?: boolean;
  };

/** Options by long name (kebab-case, or as an earlier tool spelled it). */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** A command line to imitate. */
export interface Example {
  /** Without the leading `$`. */
  readonly command: string;
  readonly help: string;
}

/** What a command and a subcommand share. */
export interface CommandPart {
  /** One line. */
  readonly summary: string;
  /** Paragraphs for `--help`. */
  readonly description?: string;
  readonly options?: OptionTable;
  readonly positionals?: readonly PositionalSpec[];
  readonly examples?: readonly Example[];
}

/** The command line of one service. */
export interface CommandSpec extends CommandPart {
  readonly name: string;
  readonly version: string;
  /** Subcommands by name. They have the command's own options too, before or after their name. */
  readonly commands?: Readonly<Record<string, CommandPart>>;
}

/** The environment, as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;
