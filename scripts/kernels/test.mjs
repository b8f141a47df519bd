// npm run test:kernels: the tests of BPF programs (`*.bpf.test.ts`, `*.kernel.test.ts`, and files that say `@kernels`) on
// Debian's own cloud kernel, in emulation. Slow: about ten times as slow as the host.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { jestCommand, sumOfJest } from "../lib/jest.mjs";
import { Report } from "../lib/report.mjs";
import { root, say } from "../lib/run.mjs";
import { filesBelow } from "../lib/stamp.mjs";
import { runInGuest } from "./guest.mjs";
import { provideKernel, whyNotHere } from "./kernel.mjs";

const DEADLINE_MS = 1_800_000;
const TEST_TIMEOUT_MS = 300_000;
const REPORT = "jest.json";

const report = new Report();

function files() {
  const places = ["libs", "services", "tests"];
  const tagged = filesBelow(places, /\.netns\.test\.ts$/).filter((file) =>
    readFileSync(file, "utf8").includes("@kernels"),
  );
  return [...filesBelow(places, /\.(bpf|kernel)\.test\.ts$/), ...tagged];
}

async function testKernel() {
  const kernel = await provideKernel();
  say(`kernels: ${kernel.release}`);
  const copy = join(root, ".cache", "results", `kernel-${kernel.release}.json`);
  mkdirSync(dirname(copy), { recursive: true });
  rmSync(copy, { force: true });
  const options = ["--runInBand", `--testTimeout=${TEST_TIMEOUT_MS}`, "--json", `--outputFile=/out/${REPORT}`];
  const code = await runInGuest(kernel, [...jestCommand, ...options, "--runTestsByPath", ...files()], {
    deadlineMs: DEADLINE_MS,
    collect: (out) => {
      if (existsSync(join(out, REPORT))) copyFileSync(join(out, REPORT), copy);
    },
  });
  const sums = sumOfJest(copy, code);
  for (const key of ["skippedNames", "failedNames"]) sums[key] = sums[key].map((name) => `${kernel.release}: ${name}`);
  report.add(sums);
}

const why = whyNotHere();
if (why === undefined) {
  await testKernel().catch((error) => report.fail("an emulated machine", String(error)));
} else if (process.env.REQUIRE_PRIVILEGED === "1") report.fail("an emulated machine", why);
else report.skip("an emulated machine", why);
report.end();
