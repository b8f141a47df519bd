// Running jest and summing up its report.
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { root } from "./run.mjs";

/** The command that runs jest in ESM mode on the Node in PATH. */
export const jestCommand = [
  ...["node", "--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
  "node_modules/jest/bin/jest.js",
];

/** Sums of nothing. */
export const noTests = () => ({ passed: 0, failed: 0, skipped: 0, skippedNames: [], failedNames: [] });

/** Counts of jest's own report, `jest --json --outputFile`. A file that does not run at all is one failure. */
export function sumOfJest(file, code) {
  const sums = noTests();
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
