/** A symbol of an object file: which section it is in and where. */
export interface ElfSymbol {
  readonly name: string;
  readonly section: string;
  readonly offset: number;
  readonly isFunction: boolean;
  readonly isGlobal: boolean;
}

const SYMTAB = 2;
const FUNCTION = 2;
const GLOBAL = 1;
const SYMBOL_BYTES = 24;

interface Section {
  readonly nameAt: number;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

function text(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  return Buffer.from(bytes.subarray(at, end < 0 ? bytes.length : end)).toString();
}

function readSections(view: DataView): { readonly sections: readonly Section[]; readonly names: number } {
  const table = Number(view.getBigUint64(0x28, true));
  const entry = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const sections = Array.from({ length: count }, (_, index) => {
    const at = table + index * entry;
    return {
      nameAt: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      offset: Number(view.getBigUint64(at + 0x18, true)),
      size: Number(view.getBigUint64(at + 0x20, true)),
      link: view.getUint32(at + 0x28, true),
    };
  });
  return { sections, names: view.getUint16(0x3e, true) };
}

/**
 * Symbols of a 64-bit little-endian object. BTF says which variables a section has, but clang leaves their offsets to
 * the loader, who takes them from here.
 */
export function readSymbols(bytes: Uint8Array): readonly ElfSymbol[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new Error("not a 64-bit little-endian ELF file");
  }
  const { sections, names } = readSections(view);
  const nameOf = (section: Section | undefined): string =>
    section ? text(bytes, (sections[names]?.offset ?? 0) + section.nameAt) : "";
  const symbols: ElfSymbol[] = [];
  for (const table of sections.filter((section) => section.type === SYMTAB)) {
    const strings = sections[table.link]?.offset ?? 0;
    for (let at = table.offset; at < table.offset + table.size; at += SYMBOL_BYTES) {
      const info = view.getUint8(at + 4);
      symbols.push({
        name: text(bytes, strings + view.getUint32(at, true)),
        section: nameOf(sections[view.getUint16(at + 6, true)]),
        offset: Number(view.getBigUint64(at + 8, true)),
        isFunction: (info & 0xf) === FUNCTION,
        isGlobal: info >> 4 === GLOBAL,
      });
    }
  }
  return symbols;
}
