import type { Btf, BtfMember, BtfType } from "./btf.ts";
import { camel, isPadding, pascal } from "./names.ts";

/** A member of a structure as user space sees it. */
interface Field {
  readonly name: string;
  readonly offset: number;
  readonly codec: Expression;
}

/** A codec and the TypeScript type it stands for, as source text. */
export interface Expression {
  readonly codec: string;
  readonly type: string;
}

const BIG_ENDIAN = new Set(["__be16", "__be32", "__be64"]);
const OPAQUE = new Set(["bpf_timer", "bpf_spin_lock"]); // the kernel's own; user space neither reads nor writes them

const READERS: Readonly<Record<string, (at: string) => string>> = {
  u8: (at) => `view.getUint8(${at})`,
  u16: (at) => `view.getUint16(${at}, true)`,
  u32: (at) => `view.getUint32(${at}, true)`,
  u64: (at) => `view.getBigUint64(${at}, true)`,
  s8: (at) => `view.getInt8(${at})`,
  s16: (at) => `view.getInt16(${at}, true)`,
  s32: (at) => `view.getInt32(${at}, true)`,
  s64: (at) => `view.getBigInt64(${at}, true)`,
  be16: (at) => `view.getUint16(${at})`,
  be32: (at) => `view.getUint32(${at})`,
  be64: (at) => `view.getBigUint64(${at})`,
  bool: (at) => `view.getUint8(${at}) !== 0`,
};

/** Collects the types that an object's maps and variables use, and writes their codecs, each once, used ones first. */
export class TypeWriter {
  /** Names to import from the runtime. */
  readonly imports = new Set<string>();
  readonly #btf: Btf;
  readonly #blocks: string[] = [];
  readonly #structs = new Map<number, string>();
  readonly #enums = new Set<number>();
  readonly #shared = new Set<string>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** Source text of everything collected so far. */
  source(): string {
    return this.#blocks.join("\n\n");
  }

  /** The codec for type `id`. `hint` names a structure that has no name. */
  expression(id: number | undefined, hint: string): Expression {
    const type = this.#btf.resolve(id, BIG_ENDIAN);
    if (type.kind === "TYPEDEF")
      return this.#primitive(type.name.slice(2), type.name === "__be64" ? "bigint" : "number");
    switch (type.kind) {
      case "INT":
        return this.#integer(type);
      case "ENUM":
      case "ENUM64":
        return this.#enumeration(type);
      case "ARRAY":
        return this.#array(type, hint);
      case "STRUCT":
        return this.#struct(type, hint);
      case "UNION":
        return this.#bytes(this.#btf.sizeOf(type.id));
      case "PTR":
        return this.#primitive("u64", "bigint");
      default:
        throw new Error(`${hint}: ${type.kind.toLowerCase()} ${type.name} has no layout here (is it only declared?)`);
    }
  }

  /** Codec of `size` octets without a type. */
  raw(size: number): Expression {
    return this.#bytes(size);
  }

  #primitive(name: string, type: string): Expression {
    this.imports.add(name);
    return { codec: name, type };
  }

  #integer(type: BtfType): Expression {
    if (type.encoding === "BOOL") return this.#primitive("bool", "boolean");
    const bits = type.nr_bits ?? 0;
    if (![8, 16, 32, 64].includes(bits)) return this.#bytes(type.size ?? 0);
    const sign = type.encoding === "SIGNED" ? "s" : "u";
    return this.#primitive(`${sign}${bits}`, bits === 64 ? "bigint" : "number");
  }

  #enumeration(type: BtfType): Expression {
    const codec = this.#primitive(type.size === 8 ? "u64" : `u${(type.size ?? 4) * 8}`, "number");
    if (type.name === "(anon)" || type.size === 8) return codec;
    const name = pascal(type.name);
    if (!this.#enums.has(type.id)) {
      this.#enums.add(type.id);
      const values = (type.values ?? []).map((value) => `  ${value.name}: ${value.val},`);
      this.#blocks.push(
        `/** \`enum ${type.name}\` */\nexport const ${name} = {\n${values.join("\n")}\n} as const;\n` +
          `export type ${name} = (typeof ${name})[keyof typeof ${name}];`,
      );
    }
    return codec;
  }

  #bytes(size: number): Expression {
    return this.#share(`bytes(${size})`, `bytes${size}`, "bytes", "Uint8Array");
  }

  #share(codec: string, name: string, helper: string, type: string): Expression {
    this.imports.add(helper);
    if (!this.#shared.has(name)) this.#blocks.push(`const ${name} = ${codec};`);
    this.#shared.add(name);
    return { codec: name, type };
  }

  #array(type: BtfType, hint: string): Expression {
    const element = this.#btf.resolve(type.type_id, BIG_ENDIAN);
    const length = type.nr_elems ?? 0;
    if (element.kind === "INT" && element.size === 1 && element.encoding !== "BOOL") return this.#bytes(length);
    const inner = this.expression(type.type_id, hint);
    const of = inner.type.includes(" ") ? `(${inner.type})` : inner.type;
    const name = camel(`${inner.codec}_array_${length}`);
    return this.#share(`array(${inner.codec}, ${length})`, name, "array", `readonly ${of}[]`);
  }

  #struct(type: BtfType, hint: string): Expression {
    const label = type.name === "(anon)" ? hint : type.name;
    const known = this.#structs.get(type.id);
    const name = known ?? pascal(label);
    const codec = camel(name);
    if (known !== undefined) return { codec, type: name };
    const fields = this.#fields(type, 0, label);
    if (fields.length === 0) return this.#bytes(this.#btf.sizeOf(type.id));
    this.#structs.set(type.id, name);
    this.#blocks.push(structSource(name, codec, label, type.size ?? 0, fields));
    this.imports.add("type Codec");
    return { codec, type: name };
  }

  #fields(type: BtfType, base: number, label: string): readonly Field[] {
    return (type.members ?? []).flatMap((member) => this.#field(member, base, label));
  }

  #field(member: BtfMember, base: number, label: string): readonly Field[] {
    if (member.bitfield_size) throw new Error(`${label}.${member.name}: bit-fields have no codec; use a whole integer`);
    const offset = base + member.bits_offset / 8;
    const type = this.#btf.resolve(member.type_id, BIG_ENDIAN);
    if (isPadding(member.name) || OPAQUE.has(type.name)) return [];
    if (member.name === "(anon)" && type.kind === "STRUCT") return this.#fields(type, offset, label);
    if (member.name === "(anon)") return [{ name: `union${offset}`, offset, codec: this.expression(type.id, label) }];
    return [{ name: member.name, offset, codec: this.expression(member.type_id, `${label}_${member.name}`) }];
  }
}

function structSource(name: string, codec: string, label: string, size: number, fields: readonly Field[]): string {
  const at = (offset: number): string => (offset === 0 ? "at" : `at + ${offset}`);
  const reads = fields.map((field) => {
    const reader = READERS[field.codec.codec];
    const value = reader ? reader(at(field.offset)) : `${field.codec.codec}.decode(view, ${at(field.offset)})`;
    return `    ${field.name}: ${value},`;
  });
  const writes = fields.map(
    (field) =>
      `    ${field.codec.codec}.encode(view, ${at(field.offset)}, value.${field.name}, "${label}.${field.name}");`,
  );
  return [
    `/** \`struct ${label}\`, ${size} octets */`,
    `export interface ${name} {`,
    ...fields.map((field) => `  readonly ${field.name}: ${field.codec.type};`),
    "}",
    "",
    `export const ${codec}: Codec<${name}> = {`,
    `  size: ${size},`,
    "  decode: (view, at) => ({",
    ...reads,
    "  }),",
    "  encode: (view, at, value) => {",
    ...writes,
    "  },",
    "};",
  ].join("\n");
}
