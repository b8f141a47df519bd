import { MAP_TYPES } from "../src/object-spec.ts";
import type { Btf, BtfType } from "./btf.ts";
import type { ElfSymbol } from "./elf.ts";
import { camel, pascal } from "./names.ts";
import { TypeWriter } from "./types.ts";

const TYPE_NAMES = new Map<number, string>(Object.entries(MAP_TYPES).map(([name, number]) => [number, name]));

/** What one object consists of. */
export interface ObjectInput {
  /** Name of the source without `.bpf.c`. */
  readonly name: string;
  readonly btf: Btf;
  readonly symbols: readonly ElfSymbol[];
}

class Emitter {
  readonly #input: ObjectInput;
  readonly #types: TypeWriter;

  constructor(input: ObjectInput) {
    this.#input = input;
    this.#types = new TypeWriter(input.btf);
  }

  module(): string {
    const { name } = this.#input;
    const spec = [
      `/** Everything in \`${name}.bpf.c\`. */`,
      `export const ${camel(name)}Spec = {`,
      `  name: ${JSON.stringify(name)},`,
      `  objectPath: objectPath(import.meta.url, ${JSON.stringify(name)}),`,
      `  programs: {${this.#programs()}},`,
      `  maps: {${this.#maps()}},`,
      `  rodata: {${this.#variables(".rodata")}},`,
      `  data: {${this.#variables(".bss", ".data")}},`,
      "} as const satisfies ObjectSpec;",
      "",
      `export type ${pascal(name)}Spec = typeof ${camel(name)}Spec;`,
    ].join("\n");
    const imports = [...this.#types.imports, "objectPath", "type ObjectSpec"].sort(byName);
    const head = [
      `// Generated from ${name}.bpf.c by \`npm run generate -w libs/bpf-runtime\`; not to be edited.`,
      "import {",
      ...imports.map((item) => `  ${item},`),
      '} from "@waymark/bpf-runtime/generated";',
    ].join("\n");
    return `${[head, this.#types.source(), spec].filter((part) => part !== "").join("\n\n")}\n`;
  }

  #programs(): string {
    const lines = this.#input.symbols
      .filter((symbol) => symbol.isFunction && symbol.isGlobal && symbol.section !== ".text")
      .sort((a, b) => a.name.localeCompare(b.name, "en"))
      .map((symbol) => `    ${symbol.name}: { type: "${programType(symbol)}" },`);
    return block(lines);
  }

  #maps(): string {
    const maps = [...(this.#input.btf.sections().get(".maps") ?? [])].sort((a, b) =>
      a.name.localeCompare(b.name, "en"),
    );
    return block(maps.map((map) => `    ${map.name}: ${this.#map(map.name, this.#input.btf.resolve(map.type_id))},`));
  }

  #map(name: string, definition: BtfType): string {
    const { btf } = this.#input;
    const members = new Map((definition.members ?? []).map((member) => [member.name, member.type_id]));
    const number = (member: string): number => (members.has(member) ? btf.hiddenNumber(members.get(member)) : 0);
    const type = TYPE_NAMES.get(number("type"));
    if (type === undefined) throw new Error(`map ${name}: type ${number("type")} is not supported`);
    const parts = [`type: "${type}"`];
    if (type === "ringbuf") {
      parts.push(`record: ${members.has("value") ? this.#side(members, "value", name) : this.#types.raw(0).codec}`);
    } else {
      parts.push(`key: ${this.#side(members, "key", name)}`);
      parts.push(
        members.has("values")
          ? `inner: ${this.#inner(name, members.get("values"))}`
          : `value: ${this.#side(members, "value", name)}`,
      );
    }
    parts.push(`maxEntries: ${number("max_entries")}`, `flags: ${number("map_flags")}`);
    return `{ ${parts.join(", ")} }`;
  }

  #inner(name: string, id: number | undefined): string {
    const { btf } = this.#input;
    return this.#map(`${name} (inner)`, btf.resolve(btf.pointee(btf.resolve(id).type_id).id));
  }

  #side(members: ReadonlyMap<string, number>, side: "key" | "value", map: string): string {
    const { btf } = this.#input;
    const size = members.get(`${side}_size`);
    if (members.has(side)) return this.#types.expression(btf.pointee(members.get(side)).id, `${map}_${side}`).codec;
    if (size !== undefined) return this.#types.raw(btf.hiddenNumber(size)).codec;
    throw new Error(`map ${map} has no ${side} type`);
  }

  #variables(...prefixes: readonly string[]): string {
    const lines: string[] = [];
    for (const [section, variables] of this.#input.btf.sections()) {
      if (!prefixes.some((prefix) => section === prefix || section.startsWith(`${prefix}.`))) continue;
      for (const variable of variables) lines.push(...this.#variable(section, variable));
    }
    return block(lines.sort());
  }

  #variable(section: string, variable: BtfType): readonly string[] {
    const { btf, symbols } = this.#input;
    const type = btf.resolve(variable.type_id);
    if (type.kind === "PTR") {
      // A pointer variable only brings its type into the BTF (a structure that no map or variable holds).
      const target = btf.resolve(type.type_id);
      if (["STRUCT", "ENUM"].includes(target.kind)) this.#types.expression(target.id, variable.name);
      return [];
    }
    const symbol = symbols.find((item) => item.name === variable.name && item.section === section);
    if (!symbol || variable.name.includes(".")) return [];
    const { codec } = this.#types.expression(variable.type_id, variable.name);
    return [`    ${variable.name}: { section: "${section}", offset: ${symbol.offset}, codec: ${codec} },`];
  }
}

function programType(symbol: ElfSymbol): string {
  if (/^(tc|classifier|tcx)($|\/)/.test(symbol.section)) return "tc";
  if (/^xdp($|[./])/.test(symbol.section)) return "xdp";
  throw new Error(`program ${symbol.name}: section ${symbol.section} is not supported (tc, xdp)`);
}

function block(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n  `;
}

function byName(a: string, b: string): number {
  return a.replace("type ", "").localeCompare(b.replace("type ", ""), "en");
}

/** The TypeScript module of one object. The same object always gives the same text. */
export function emitModule(input: ObjectInput): string {
  return new Emitter(input).module();
}
