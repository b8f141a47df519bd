import type { CommandPart, CommandSpec, OptionSpec, OptionTable, PositionalSpec } from "./command-spec.ts";
import { environmentName, optionTable, positionalLabel, standardOptions, valueLabel } from "./names.ts";

/** No line is longer, unless a single word or a command to type is. */
const WIDTH = 100;
/** Where the explanations begin. */
const INDENT = 30;

/** The text for `--help` of a command or of one of its subcommands; ends with a line feed. */
export function formatHelp(spec: CommandSpec, command?: string): string {
  const part: CommandPart = (command === undefined ? undefined : spec.commands?.[command]) ?? spec;
  const title = [spec.name, command].filter(Boolean).join(" ");
  const chosen = command !== undefined || spec.commands === undefined;
  const sections = [
    `${title}: ${part.summary}`,
    section("Usage", chosen ? [usage(title, part)] : usages(spec)),
    part.description === undefined ? "" : paragraphs(part.description).join("\n"),
    section("Commands", chosen ? [] : commandRows(spec)),
    section("Arguments", (part.positionals ?? []).flatMap(positionalRows)),
    section("Options", optionRows(spec, command)),
    section(
      "Examples",
      (part.examples ?? []).flatMap(({ command: line, help }) => [
        `  ${line}`,
        ...wrap(help, WIDTH - 6).map((text) => `      ${text}`),
      ]),
    ),
    chosen ? "" : `Options of a command: ${spec.name} COMMAND --help`,
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [`${title}:`, ...lines].join("\n");
}

function usages(spec: CommandSpec): string[] {
  return Object.entries(spec.commands ?? {}).map(([name, part]) => usage(`${spec.name} ${name}`, part));
}

function usage(title: string, part: CommandPart): string {
  let text = `  ${title} [options]`;
  let open = 0;
  const positionals = part.positionals ?? [];
  for (const [i, spec] of positionals.entries()) {
    const word = positionalLabel(spec) + (spec.multiple ? "…" : "");
    const optional = spec.optional === true || spec.default !== undefined;
    text += optional && !spec.withPrevious ? ` [${word}` : ` ${word}`;
    if (optional && !spec.withPrevious) open++;
    if (open > 0 && !positionals[i + 1]?.withPrevious) {
      text += "]";
      open--;
    }
  }
  return text;
}

function commandRows(spec: CommandSpec): string[] {
  return Object.entries(spec.commands ?? {}).flatMap(([name, part]) => row(name, part.summary));
}

function positionalRows(spec: PositionalSpec): string[] {
  return row(positionalLabel(spec), explain(spec.name, spec));
}

function optionRows(spec: CommandSpec, command: string | undefined): string[] {
  const table: OptionTable = { ...optionTable(spec, command), ...standardOptions };
  return Object.entries(table).flatMap(([name, option]) => {
    const spellings = [...(option.aliases ?? []), `--${name}`].sort((a, b) => a.length - b.length);
    return row(`${spellings.join(", ")} ${valueLabel(option)}`.trimEnd(), explain(name, option));
  });
}

function explain(name: string, spec: OptionSpec | PositionalSpec): string {
  const variable = environmentName(name, spec);
  const notes = [limits(spec), defaultNote(spec), spec.multiple ? "may be repeated" : "", variable ?? ""];
  const text = notes.filter((note) => note !== "").join("; ");
  return text === "" ? spec.help : `${spec.help} (${text})`;
}

function limits(spec: OptionSpec | PositionalSpec): string {
  const { min, max } = spec as { min?: number | string; max?: number | string };
  const unit = "unit" in spec && spec.type !== "duration" ? spec.unit : undefined;
  const bounds =
    min !== undefined && max !== undefined
      ? `${min} to ${max}`
      : min !== undefined
        ? `at least ${min}`
        : max !== undefined
          ? `at most ${max}`
          : "";
  return [bounds, unit ?? ""].filter((text) => text !== "").join(" ");
}

function defaultNote(spec: OptionSpec | PositionalSpec): string {
  const text = spec.defaultText ?? spec.default;
  if (text === undefined) return "";
  const bareDuration = spec.type === "duration" && spec.defaultText === undefined && /^[\d.]+$/.test(text);
  return `default ${text}${bareDuration ? ` ${spec.unit}` : ""}`;
}

function row(left: string, right: string): string[] {
  const [first = "", ...more] = wrap(right, WIDTH - INDENT);
  const indented = more.map((line) => " ".repeat(INDENT) + line);
  const head = `  ${left}`;
  if (head.length <= INDENT - 2) return [head.padEnd(INDENT) + first, ...indented];
  return [head, " ".repeat(INDENT) + first, ...indented];
}

/** Lines are filled anew; empty lines stay, and so do those that begin with a space. */
function paragraphs(text: string): string[] {
  return text
    .replaceAll(/(?<!\n)\n(?![\n ])/g, " ")
    .split("\n")
    .flatMap((line) => (line.startsWith(" ") ? [line] : wrap(line, WIDTH)));
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
