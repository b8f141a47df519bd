// Writes X.gen.ts beside every X.bpf.c, from the BTF of the built object.
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { objectPath } from "../src/object-path.ts";
import { Btf } from "./btf.ts";
import { readSymbols } from "./elf.ts";
import { emitModule } from "./emit.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const BPFTOOL_PLACES = ["bpftool", "/usr/sbin/bpftool"];

function dumpBtf(object: string): string {
  for (const tool of BPFTOOL_PLACES) {
    try {
      return execFileSync(tool, ["-j", "btf", "dump", "file", object], { encoding: "utf8", maxBuffer: 1 << 28 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error("bpftool is missing: apt-get install bpftool");
}

function generate(source: string): boolean {
  const name = basename(source, ".bpf.c");
  const target = join(dirname(source), `${name}.gen.ts`);
  const object = objectPath(new URL(`file://${target}`).href, name);
  const btf = Btf.parse(dumpBtf(object));
  const text = emitModule({ name, btf, symbols: readSymbols(readFileSync(object)) });
  let before = "";
  try {
    before = readFileSync(target, "utf8");
  } catch {
    // Absent: the first time.
  }
  if (before === text) return false;
  writeFileSync(target, text);
  console.log(`generated ${relative(root, target)}`);
  return true;
}

execFileSync(process.execPath, [join(root, "libs/bpf-runtime/build.mjs")], { stdio: "inherit" });
const patterns = ["{services,libs}/*/bpf/*.bpf.c", "libs/bpf-runtime/test/bpf/*.bpf.c"];
const sources = globSync(patterns, { cwd: root }).sort();
const changed = sources.filter((source) => generate(join(root, source)));
if (changed.length === 0) console.log(`${sources.length} generated modules are up to date`);
