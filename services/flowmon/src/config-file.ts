import { readFileSync } from "node:fs";
import { CommandError } from "@waymark/agent";
import { kernelRules, MAX_KERNEL_RULES } from "./kernel-rule.ts";
import { parseRule, type Rule, RuleError } from "./rule.ts";

/** Where datagrams have their sequence number. */
export interface NumberPlace {
  /** Four octets that stand before it; undefined: `offset` counts from the payload's first octet. */
  readonly pattern: number | undefined;
  readonly offset: number;
  readonly octets: 2 | 4 | 8;
  readonly littleEndian: boolean;
  /** What one number is more than the one before. */
  readonly step: bigint;
}

/** Which figures are printed. */
export interface Display {
  readonly throughput: boolean;
  readonly goodput: boolean;
  readonly jitter: boolean;
  readonly sequenceErrors: boolean;
}

/** What config.json says. */
export interface ConfigFile {
  /** Empty: everything is measured. */
  readonly rules: readonly Rule[];
  /** Undefined: UDP and ICMP have none that we know of. */
  readonly place: NumberPlace | undefined;
  /** A larger difference between two numbers is a big error. */
  readonly threshold: bigint;
  readonly display: Display;
  readonly monitorServer: boolean;
}

const KEYS = [
  "RULES",
  "EXAMPLES",
  "PATTERN",
  "OFFSET",
  "SEQUENCE_THRESHOLD",
  "SEQUENCE_BITS",
  "SEQUENCE_BYTE_ORDER",
  "SEQUENCE_STEP",
  "DISPLAY",
  "MONITOR_SERVER",
];
const DISPLAY_KEYS = { Throughput: "throughput", Goodput: "goodput", Jitter: "jitter", SEQ_ERRORS: "sequenceErrors" };
/** A PATTERN and an OFFSET that say: none. */
const NO_PATTERN = 0xffff_ffff;
const NO_OFFSET = -1;
const DEFAULT_THRESHOLD = 10n;
const MAX_OFFSET = 65_535;
const ALL_SHOWN: Display = { throughput: true, goodput: true, jitter: true, sequenceErrors: true };

/** What holds without a file. */
export const NO_CONFIG_FILE: ConfigFile = {
  rules: [],
  place: undefined,
  threshold: DEFAULT_THRESHOLD,
  display: ALL_SHOWN,
  monitorServer: false,
};

/**
 * Reads config.json. `required`: it must be there; otherwise a missing one says nothing.
 *
 * @throws CommandError naming the file, the line and the correct form
 */
export function readConfigFile(path: string, required: boolean): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && !required) return NO_CONFIG_FILE;
    throw new CommandError(`-conf ${path}: cannot be read (${code ?? "?"}); name another file`, { cause: error });
  }
  return parseConfigFile(text, path);
}

/** `readConfigFile` of a text. @throws CommandError */
export function parseConfigFile(text: string, path = "config.json"): ConfigFile {
  return new Reader(text, path).read();
}

type Json = Readonly<Record<string, unknown>>;

class Reader {
  readonly #text: string;
  readonly #path: string;

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
  }

  read(): ConfigFile {
    const all = this.#parse();
    for (const key of Object.keys(all)) {
      if (!KEYS.includes(key)) this.#fail(key, `"${key}" is no key of this file; it knows ${KEYS.join(", ")}`);
    }
    return {
      rules: this.#rules(all["RULES"]),
      place: this.#place(all),
      threshold: BigInt(
        this.#integer(all, "SEQUENCE_THRESHOLD", Number(DEFAULT_THRESHOLD), 0, Number.MAX_SAFE_INTEGER),
      ),
      display: this.#display(all["DISPLAY"]),
      monitorServer: this.#boolean(all["MONITOR_SERVER"], "MONITOR_SERVER", false),
    };
  }

  #parse(): Json {
    let value: unknown;
    try {
      value = JSON.parse(this.#text);
    } catch (error) {
      const message = (error as Error).message;
      const at = Number(/position (\d+)/.exec(message)?.[1] ?? this.#text.length);
      throw new CommandError(`${this.#path} line ${this.#lineAt(at)}: not JSON: ${message.split("\n")[0]}`);
    }
    if (!isRecord(value)) throw new CommandError(`${this.#path} line 1: not an object; write { "RULES": {…}, … }`);
    return value;
  }

  #rules(value: unknown): Rule[] {
    if (value === undefined) return [];
    if (typeof value !== "object" || value === null)
      this.#fail("RULES", 'RULES is no dictionary; write { "1": "- - - 22 TCP" }');
    const texts = Object.values(value);
    const rules = texts.map((text) => {
      if (typeof text !== "string")
        this.#fail("RULES", `RULES: ${JSON.stringify(text)} is no text; write "- - - 22 TCP"`);
      try {
        return parseRule(text);
      } catch (error) {
        if (error instanceof RuleError) this.#fail(text, `RULES: ${error.message}`);
        throw error;
      }
    });
    const simple = rules.reduce((count, rule) => count + kernelRules(rule).length, 0);
    if (simple > MAX_KERNEL_RULES) {
      this.#fail(
        "RULES",
        `RULES: with their lists multiplied out these are ${simple} rules; at most ${MAX_KERNEL_RULES} (use ranges)`,
      );
    }
    return rules;
  }

  #place(all: Json): NumberPlace | undefined {
    const pattern = this.#pattern(all["PATTERN"]);
    const offset = this.#integer(all, "OFFSET", NO_OFFSET, -MAX_OFFSET, MAX_OFFSET);
    const bits = this.#integer(all, "SEQUENCE_BITS", 32, 16, 64);
    if (bits !== 16 && bits !== 32 && bits !== 64)
      this.#fail("SEQUENCE_BITS", `SEQUENCE_BITS ${bits} is not 16, 32 or 64`);
    const order = all["SEQUENCE_BYTE_ORDER"] ?? "big";
    if (order !== "big" && order !== "little") {
      this.#fail("SEQUENCE_BYTE_ORDER", `SEQUENCE_BYTE_ORDER ${JSON.stringify(order)} is not "big" or "little"`);
    }
    const step = this.#integer(all, "SEQUENCE_STEP", 1, 1, 32_767);
    if (offset === NO_OFFSET) return undefined;
    if (pattern === undefined && offset < 0) {
      this.#fail(
        "OFFSET",
        `OFFSET ${offset} lies before the payload; without a PATTERN it is 0 or more, or -1 for none`,
      );
    }
    const octets = bits === 16 ? 2 : bits === 32 ? 4 : 8;
    return { pattern, offset, octets, littleEndian: order === "little", step: BigInt(step) };
  }

  #pattern(value: unknown): number | undefined {
    if (value === undefined || value === "" || value === "-") return undefined;
    const digits = typeof value === "string" ? /^(?:0x)?([0-9a-f]{1,8})$/i.exec(value)?.[1] : undefined;
    if (digits === undefined) {
      this.#fail(
        "PATTERN",
        `PATTERN ${JSON.stringify(value)} is not 32 bits in hexadecimal; write "0xdeadbeef", or "0xFFFFFFFF" for none`,
      );
    }
    const pattern = Number.parseInt(digits, 16);
    return pattern === NO_PATTERN ? undefined : pattern;
  }

  #display(value: unknown): Display {
    if (value === undefined) return ALL_SHOWN;
    const form = 'write { "Throughput": "True", "Goodput": "True", "Jitter": "True", "SEQ_ERRORS": "True" }';
    if (!isRecord(value)) this.#fail("DISPLAY", `DISPLAY is no dictionary; ${form}`);
    const entries = Object.entries(value).map(([key, shown]) => {
      const name = Object.hasOwn(DISPLAY_KEYS, key) ? DISPLAY_KEYS[key as keyof typeof DISPLAY_KEYS] : undefined;
      if (name === undefined) this.#fail(key, `DISPLAY: "${key}" is no figure; ${form}`);
      return [name, this.#boolean(shown, key, true)] as const;
    });
    return { ...ALL_SHOWN, ...Object.fromEntries(entries) };
  }

  #boolean(value: unknown, key: string, preset: boolean): boolean {
    if (value === undefined) return preset;
    if (value === "True" || value === "true" || value === true) return true;
    if (value === "False" || value === "false" || value === false) return false;
    return this.#fail(key, `${key} ${JSON.stringify(value)} is not "True" or "False"`);
  }

  #integer(all: Json, key: string, preset: number, min: number, max: number): number {
    const value = all[key] ?? preset;
    const number = typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < min || number > max) {
      this.#fail(key, `${key} ${JSON.stringify(value)} is not a whole number from ${min} to ${max}`);
    }
    return number;
  }

  /** Says on which line `what` (a key or a text as it stands there) is. */
  #fail(what: string, message: string): never {
    const at = this.#text.indexOf(JSON.stringify(what));
    throw new CommandError(`${this.#path} line ${this.#lineAt(Math.max(0, at))}: ${message}`);
  }

  #lineAt(position: number): number {
    return this.#text.slice(0, position).split("\n").length;
  }
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
