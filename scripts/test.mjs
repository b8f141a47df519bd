// npm test [-- STAGE…] [-- JEST ARGUMENTS]: set-up, then check, unit, bpf, netns, store, integration, compose, containers,
// kernels.
// Ends with one line `N passed, N failed, N skipped`; exit 1 if anything failed. REQUIRE_PRIVILEGED=1 and
// REQUIRE_DOCKER=1 turn what would be skipped for want of root or Docker into failures.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { jestCommand, noTests, sumOfJest } from "./lib/jest.mjs";
import { fail, findProgram, root, run, say } from "./lib/run.mjs";
import { filesBelow } from "./lib/stamp.mjs";

/** Against what hangs; a busy host may need long. */
const STAGE_DEADLINE_MS = 40 * 60_000;
const results = join(root, ".cache", "results");
const places = ["libs", "services", "tests", "bench"];
const alone = ["--runInBand", "--testTimeout=120000"];

const stages = {
  check: { script: "scripts/check.mjs" },
  unit: {
    files: /^(?!.*\.(bpf|kernel|netns|store|system|compose|container)\.test\.ts$).*\.test\.ts$/,
    options: ["--maxWorkers=2"],
  },
  bpf: { files: /\.(bpf|kernel)\.test\.ts$/, options: alone, namespaces: ["--net", "--mount", "--pid"] },
  netns: { files: /\.netns\.test\.ts$/, options: alone, namespaces: ["--net", "--mount", "--pid"] },
  store: { files: /\.store\.test\.ts$/, options: alone },
  // no process namespace here: container engines name processes by their ids on the host
  integration: { files: /\.system\.test\.ts$/, options: alone, namespaces: ["--net", "--mount"] },
  // on the host itself: published ports, host networking; its images serve the containers' tests, too
  compose: { files: /\.compose\.test\.ts$/, options: alone },
  containers: { files: /\.container\.test\.ts$/, options: alone, namespaces: ["--net", "--mount"] },
  kernels: { script: "scripts/kernels/test.mjs" },
};

/** Puts a command into namespaces of its own, with an empty /run/netns and `lo` up; its children end with it. */
function inNamespaces(kinds, argv) {
  const prepare = 'mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && "$@"; exit $?';
  const proc = kinds.includes("--pid") ? ["--mount-proc"] : [];
  const unshare = ["unshare", ...kinds, ...proc, "--propagation", "private", "--fork", "--kill-child"];
  return [...unshare, "sh", "-c", prepare, "sh", ...argv];
}

/** Runs the test files of a stage; `words` choose files by part of their path, `options` go to jest. */
async function runJest(name, stage, { words, options }) {
  const files = filesBelow(places, stage.files).filter(
    (file) => words.length === 0 || words.some((word) => file.includes(word)),
  );
  if (files.length === 0) return noTests();
  const report = join(results, `${name}.json`);
  rmSync(report, { force: true });
  const more = ["--json", `--outputFile=${report}`, ...options, "--runTestsByPath", ...files];
  const argv = [...jestCommand, ...stage.options, ...more];
  const isolated = stage.namespaces !== undefined && process.getuid?.() === 0 && findProgram("unshare") !== undefined;
  const { code } = await run(isolated ? inNamespaces(stage.namespaces, argv) : argv, {
    deadlineMs: STAGE_DEADLINE_MS,
  });
  return sumOfJest(report, code);
}

/** Runs a script that leaves its own sums where it is told. */
async function runScript(name, stage) {
  const report = join(results, `${name}.json`);
  rmSync(report, { force: true });
  const { code } = await run(["node", stage.script, "--report", report]);
  try {
    return JSON.parse(readFileSync(report, "utf8"));
  } catch {
    return { ...noTests(), failed: 1, failedNames: [`${stage.script} ended (exit ${code}) without a report`] };
  }
}

/** Stages first; then words that choose files, and options of jest (write values as --option=value). */
function parse(args) {
  const rest = args.filter((arg) => arg !== "--");
  const names = [];
  while (Object.hasOwn(stages, rest[0] ?? "")) names.push(rest.shift());
  const patternAt = rest.indexOf("-t");
  const options = patternAt < 0 ? [] : rest.splice(patternAt, 2);
  options.push(...rest.filter((arg) => arg.startsWith("-")));
  const words = rest.filter((arg) => !arg.startsWith("-"));
  return { names: names.length > 0 ? names : Object.keys(stages), words, options };
}

const { names, ...choice } = parse(process.argv.slice(2));
const setUp = await run(["node", "scripts/setup.mjs", "--for", names.includes("kernels") ? "kernels" : "test"]);
if (setUp.code !== 0) fail("test: the set-up failed", setUp.code);
mkdirSync(results, { recursive: true });

const total = noTests();
for (const name of names) {
  const stage = stages[name];
  say(`test: ${name}`);
  const begin = performance.now();
  const sums = stage.script === undefined ? await runJest(name, stage, choice) : await runScript(name, stage);
  for (const key of ["passed", "failed", "skipped"]) total[key] += sums[key];
  for (const key of ["skippedNames", "failedNames"]) total[key].push(...sums[key].map((text) => `${name}: ${text}`));
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  say(`test: ${name}: ${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped (${seconds} s)`);
}
if (total.skipped > 0) say(["test: skipped:", ...total.skippedNames].join("\n  "));
if (total.failed > 0) say(["test: failed:", ...total.failedNames].join("\n  "));
say(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 ? 1 : 0);
