// Builds what is not TypeScript: the native addon and every BPF object, each only when its sources, flags or tools changed.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const require = createRequire(import.meta.url);

function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}

function version(tool, flag = "--version") {
  try {
    return execFileSync(tool, [flag], { encoding: "utf8" }).trim();
  } catch {
    return fail(`${tool} is missing: apt-get install g++ clang llvm libbpf-dev`);
  }
}

/** Files below `folder` that end in one of `endings`, in a fixed order. */
function filesIn(folder, endings) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort();
}

function hashOf(parts, files) {
  const hash = createHash("sha256").update(JSON.stringify(parts));
  for (const file of files) hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
  return hash.digest("hex");
}

/** Runs `commands` unless `output` was made from the same things; answers whether it ran. */
function make(output, parts, sources, commands) {
  const hash = hashOf([parts, commands], sources);
  const stamp = `${output}.stamp`;
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return false;
  mkdirSync(dirname(output), { recursive: true });
  const temporary = `${output}.${process.pid}`;
  for (const [tool, ...args] of commands) {
    const named = args.map((arg) => (arg === "{out}" ? temporary : arg));
    const run = spawnSync(tool, named, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    if (run.error) fail(`${tool}: ${run.error.message}`);
    if (run.status !== 0) fail(`${relative(root, output)} failed: ${[tool, ...named].join(" ")}`);
  }
  renameSync(temporary, output);
  writeFileSync(stamp, hash);
  console.log(`built ${relative(root, output)}`);
  return true;
}

function buildNative() {
  const headers = dirname(require.resolve("node-api-headers/package.json"));
  const addonApi = dirname(require.resolve("node-addon-api/package.json"));
  const sources = filesIn(join(here, "native"), [".cc"]);
  const flags = ["-std=c++20", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"];
  const defines = ["-DNAPI_VERSION=9", "-DNAPI_DISABLE_CPP_EXCEPTIONS"];
  const includes = ["-isystem", join(headers, "include"), "-isystem", addonApi];
  const versions = [version("g++"), process.arch, readFileSync(join(addonApi, "package.json"), "utf8")];
  return make(join(here, "build/bpf-runtime.node"), versions, filesIn(join(here, "native"), [".cc", ".h"]), [
    ["g++", ...flags, ...defines, ...includes, ...sources, "-lbpf", "-o", "{out}"],
  ]);
}

/** `<package>/build/x.bpf.o` of every BPF program in the repository. */
function buildObjects() {
  const include = join(here, "include");
  const multiarch = execFileSync("gcc", ["-dumpmachine"], { encoding: "utf8" }).trim();
  // Callbacks of timers and loops have parameters that not every one of them uses.
  const flags = ["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-target", "bpf", "-mcpu=v3"];
  const includes = ["-I", include, "-I", `/usr/include/${multiarch}`];
  const versions = [version("clang"), version("llvm-strip")];
  const sources = globSync(["{services,libs}/*/bpf/*.bpf.c", "libs/bpf-runtime/test/bpf/*.bpf.c"], {
    cwd: root,
  }).sort();
  let built = 0;
  for (const name of sources) {
    const source = join(root, name);
    const folder = dirname(source);
    const packageFolder = name.startsWith("libs/bpf-runtime/") ? here : dirname(folder);
    const output = join(packageFolder, "build", `${basename(source, ".c")}.o`);
    const inputs = [source, ...filesIn(folder, [".h"]), ...filesIn(include, [".h"])];
    const commands = [
      ["clang", ...flags, ...includes, "-c", source, "-o", "{out}"],
      ["llvm-strip", "-g", "{out}"],
    ];
    if (make(output, versions, inputs, commands)) built++;
  }
  return { built, total: sources.length };
}

const native = buildNative();
const objects = buildObjects();
if (!native && !objects.built) console.log(`native addon and ${objects.total} BPF objects are up to date`);
