import type { CommandSpec, OptionSpec, OptionTable, PositionalSpec } from "./command-spec.ts";

/** What every command has. */
export const standardOptions = {
  help: { type: "boolean", aliases: ["-h"], env: false, help: "show this text and exit" },
  version: { type: "boolean", env: false, help: "show the version and exit" },
} as const satisfies OptionTable;

/** "per-flow" → "perFlow". */
export function camelCase(name: string): string {
  return name.replaceAll(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
}

/** `WAYMARK_` + the name in upper snake case, or as the spec says; undefined: none. */
export function environmentName(name: string, { env }: { readonly env?: string | false }): string | undefined {
  if (env === false) return undefined;
  return env ?? `WAYMARK_${name.replaceAll("-", "_").toUpperCase()}`;
}

/** The options of a command, or of one of its subcommands together with the command's own. */
export function optionTable(spec: CommandSpec, command: string | undefined): OptionTable {
  const ofCommand = command === undefined ? undefined : spec.commands?.[command]?.options;
  return { ...spec.options, ...ofCommand };
}

/** "IFACE" */
export function positionalLabel(spec: PositionalSpec): string {
  return spec.placeholder ?? spec.name.toUpperCase().replaceAll("-", "_");
}

/** "SEC", "BINS MIN MAX", "text|jsonl"; empty for a flag without a value. */
export function valueLabel(spec: OptionSpec): string {
  if (spec.values !== undefined) return spec.values.join(" ");
  if (spec.placeholder !== undefined) return spec.placeholder;
  switch (spec.type) {
    case "boolean":
      return "";
    case "enum":
      return spec.choices.join("|");
    case "hostport":
      return spec.defaultHost === undefined ? "HOST:PORT" : "[HOST:]PORT";
    case "port":
      return "PORT";
    case "duration":
      return spec.unit === "s" ? "SEC" : "MS";
    case "integer":
    case "number":
      return "N";
    case "string":
      return "TEXT";
  }
}
