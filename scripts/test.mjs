// npm test [-- STAGE…] [-- JEST ARGUMENTS]: set-up, then check, unit, bpf, netns, store, integration, kernels.
// Ends with one line `N passed, N failed, N skipped`; exit 1 if anything failed. REQUIRE_PRIVILEGED=1 and
// REQUIRE_DOCKER=1 turn what would be skipped for want of root or Docker into failures.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fail, findProgram, root, run, say } from "./lib/run.mjs";
import { filesBelow } from "./lib/stamp.mjs";

const MINUTE_MS = 60_000;
const results = join(root, ".cache", "results");
const privileged = { namespaces: true, arguments: ["--runInBand", "--testTimeout=120000"] };

const stages = {
  check: { script: "scripts/check.mjs" },
  unit: { suffix: "", arguments: ["--maxWorkers=2"], deadlineMs: 5 * MINUTE_MS },
  bpf: { suffix: "bpf", ...privileged, deadlineMs: 5 * MINUTE_MS },
  netns: { suffix: "netns", ...privileged, deadlineMs: 10 * MINUTE_MS },
  store: { suffix: "store", arguments: ["--runInBand", "--testTimeout=60000"], deadlineMs: 5 * MINUTE_MS },
  integration: { suffix: "system", ...privileged, deadlineMs: 10 * MINUTE_MS },
  kernels: { script: "scripts/kernels/test.mjs" },
};

const args = process.argv.slice(2);
const chosen = [];
while (Object.hasOwn(stages, args[0] ?? "")) chosen.push(args.shift());
if (args[0] === "--") args.shift();
const names = chosen.length > 0 ? chosen : Object.keys(stages);

const total = { passed: 0, failed: 0, skipped: 0 };
const skipped = [];
const failed = [];

function add(stage, sums) {
  for (const key of Object.keys(total)) total[key] += sums[key];
  skipped.push(...sums.skippedNames.map((name) => `${stage}: ${name}`));
  failed.push(...sums.failedNames.map((name) => `${stage}: ${name}`));
  const counts = `${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`;
  say(`test: ${stage}: ${counts} (${sums.seconds.toFixed(1)} s)`);
}

const nothing = () => ({ passed: 0, failed: 0, skipped: 0, skippedNames: [], failedNames: [] });

/** Counts of jest's own report. A file that does not run at all is one failure. */
function sumOfJest(file, code) {
  const sums = nothing();
  let report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { ...sums, failed: 1, failedNames: [`jest ended (exit ${code}) without a report`] };
  }
  for (const suite of report.testResults) {
    const name = relative(root, suite.name);
    for (const test of suite.assertionResults) {
      if (test.status === "passed") sums.passed++;
      else if (test.status === "failed") {
        sums.failed++;
        sums.failedNames.push(`${name}: ${test.fullName}`);
      } else {
        sums.skipped++;
        sums.skippedNames.push(`${name}: ${test.fullName}`);
      }
    }
    if (suite.status === "failed" && !suite.assertionResults.some((test) => test.status === "failed")) {
      sums.failed++;
      sums.failedNames.push(`${name}: does not run`);
    }
  }
  if (code !== 0 && sums.failed === 0) {
    sums.failed = 1;
    sums.failedNames.push(`jest ended with exit ${code}`);
  }
  return sums;
}

/** Puts a command into network and mount namespaces of its own, with an empty /run/netns and `lo` up. */
function inNamespaces(argv) {
  const prepare = 'mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && exec "$@"';
  return ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", prepare, "sh", ...argv];
}

function jestFiles(stage) {
  if (stage.suffix === "") {
    return filesBelow(
      ["libs", "services", "tests", "bench", "proto"],
      /^(?!.*\.(bpf|netns|store|system|kernel)\.test\.ts$).*\.test\.ts$/,
    );
  }
  const pattern = new RegExp(`\\.${stage.suffix === "bpf" ? "(bpf|kernel)" : stage.suffix}\\.test\\.ts$`);
  return filesBelow(["libs", "services", "tests", "bench"], pattern);
}

/** Runs the test files of a stage. Arguments that begin with "-" go to jest, others choose files by part of their path. */
async function runJest(name, stage) {
  const patterns = args.filter((arg, i) => !arg.startsWith("-") && !takesValue(args[i - 1]));
  const options = args.filter((arg) => !patterns.includes(arg));
  const files = jestFiles(stage).filter(
    (file) => patterns.length === 0 || patterns.some((part) => file.includes(part)),
  );
  if (files.length === 0) return nothing();
  const report = join(results, `${name}.json`);
  rmSync(report, { force: true });
  const jest = [
    "node",
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    "node_modules/jest/bin/jest.js",
  ];
  const argv = [
    ...jest,
    ...stage.arguments,
    "--json",
    `--outputFile=${report}`,
    ...options,
    "--runTestsByPath",
    ...files,
  ];
  const isolated = stage.namespaces && process.getuid?.() === 0 && findProgram("unshare") !== undefined;
  // jest writes its human report to standard error; with --json the report itself goes to the file alone
  const { code } = await run(isolated ? inNamespaces(argv) : argv, { deadlineMs: stage.deadlineMs });
  return sumOfJest(report, code);
}

const takesValue = (option) => ["-t", "--testNamePattern", "--testTimeout", "--seed"].includes(option);

/** Runs a script that leaves its own sums in .cache/results. */
async function runScript(name, stage) {
  const report = join(results, `${name}.json`);
  rmSync(report, { force: true });
  const { code } = await run(["node", stage.script, "--report", report]);
  try {
    return JSON.parse(readFileSync(report, "utf8"));
  } catch {
    return { ...nothing(), failed: 1, failedNames: [`${stage.script} ended (exit ${code}) without a report`] };
  }
}

const setUp = await run(["node", "scripts/setup.mjs", "--for", names.includes("kernels") ? "kernels" : "test"]);
if (setUp.code !== 0) fail("test: the set-up failed", setUp.code);
mkdirSync(results, { recursive: true });
for (const name of names) {
  const stage = stages[name];
  say(`test: ${name}`);
  const begin = performance.now();
  const sums = stage.script === undefined ? await runJest(name, stage) : await runScript(name, stage);
  add(name, { ...sums, seconds: (performance.now() - begin) / 1000 });
}
if (skipped.length > 0) say(["test: skipped:", ...skipped].join("\n  "));
if (failed.length > 0) say(["test: failed:", ...failed].join("\n  "));
say(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 ? 1 : 0);
