import { readFileSync } from "node:fs";
import { featuresSpec } from "../test/bpf/features.gen.ts";
import { readSymbols } from "./elf.ts";

describe("readSymbols", () => {
  test("finds programs and variables where the loader will", () => {
    const symbols = readSymbols(readFileSync(featuresSpec.objectPath));
    const programs = symbols.filter((symbol) => symbol.isFunction && symbol.isGlobal).map((symbol) => symbol.name);
    expect(programs.toSorted()).toEqual(Object.keys(featuresSpec.programs).toSorted());
    for (const [name, { section, offset }] of Object.entries(featuresSpec.rodata)) {
      expect(symbols).toContainEqual(expect.objectContaining({ name, section, offset, isFunction: false }));
    }
  });

  test("refuses anything else", () => {
    expect(() => readSymbols(new Uint8Array(64))).toThrow("not a 64-bit little-endian ELF file");
  });
});
