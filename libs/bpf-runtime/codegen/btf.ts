/** One type as `bpftool -j btf dump` prints it. */
export interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly nr_bits?: number;
  readonly encoding?: string;
  readonly type_id?: number;
  readonly nr_elems?: number;
  readonly linkage?: string;
  readonly members?: readonly BtfMember[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
  readonly vars?: readonly { readonly type_id: number; readonly size: number }[];
}

/** A member of a structure or union. */
export interface BtfMember {
  readonly name: string;
  readonly type_id: number;
  readonly bits_offset: number;
  readonly bitfield_size?: number;
}

const TRANSPARENT = new Set(["CONST", "VOLATILE", "RESTRICT", "TYPE_TAG", "TYPEDEF"]);

/** Types of one object, by id; `void` is 0 and absent. */
export class Btf {
  readonly types: readonly BtfType[];
  readonly #byId: ReadonlyMap<number, BtfType>;

  constructor(types: readonly BtfType[]) {
    this.types = types;
    this.#byId = new Map(types.map((type) => [type.id, type]));
  }

  /** Reads what `bpftool -j btf dump file X` printed. */
  static parse(json: string): Btf {
    const parsed = JSON.parse(json) as { readonly types?: readonly BtfType[]; readonly error?: string };
    if (!parsed.types) throw new Error(`no BTF: ${parsed.error ?? "empty"}`);
    return new Btf(parsed.types);
  }

  /** The type `id`. @throws Error if there is none */
  type(id: number | undefined): BtfType {
    const found = id === undefined ? undefined : this.#byId.get(id);
    if (!found) throw new Error(`BTF has no type ${id}`);
    return found;
  }

  /** The type without qualifiers; typedefs too unless `keep` names one on the way, which is then answered. */
  resolve(id: number | undefined, keep: ReadonlySet<string> = new Set()): BtfType {
    let type = this.type(id);
    while (TRANSPARENT.has(type.kind) && !keep.has(type.name)) type = this.type(type.type_id);
    return type;
  }

  /** What a pointer points to. */
  pointee(id: number | undefined): BtfType {
    const pointer = this.resolve(id);
    if (pointer.kind !== "PTR") throw new Error(`BTF type ${pointer.id} (${pointer.kind}) is not a pointer`);
    return this.type(pointer.type_id);
  }

  /** The number that `__uint(name, number)` hides as a pointer to an array of that length. */
  hiddenNumber(id: number | undefined): number {
    const hidden = this.pointee(id);
    if (hidden.kind !== "ARRAY" || hidden.nr_elems === undefined) throw new Error(`BTF type ${id} hides no number`);
    return hidden.nr_elems;
  }

  /** Octets of a value of this type. */
  sizeOf(id: number | undefined): number {
    const type = this.resolve(id);
    if (type.kind === "PTR") return 8;
    if (type.kind === "ARRAY") return this.sizeOf(type.type_id) * (type.nr_elems ?? 0);
    if (type.size === undefined) throw new Error(`${type.kind.toLowerCase()} ${type.name} is only declared`);
    return type.size;
  }

  /** Variables by section. */
  sections(): ReadonlyMap<string, readonly BtfType[]> {
    const sections = this.types.filter((type) => type.kind === "DATASEC");
    return new Map(sections.map((type) => [type.name, (type.vars ?? []).map((entry) => this.type(entry.type_id))]));
  }
}
