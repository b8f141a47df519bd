// Sums of a script that is a stage of `npm test`: counted like tests, named when skipped or failed.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { say } from "./run.mjs";

/** Collects outcomes, prints a line for each, and writes them where `--report FILE` says. */
export class Report {
  #sums = { passed: 0, failed: 0, skipped: 0, skippedNames: [], failedNames: [] };

  pass(name) {
    this.#sums.passed++;
    say(`  ok       ${name}`);
  }

  fail(name, output) {
    this.#sums.failed++;
    this.#sums.failedNames.push(name);
    say(`  FAILED   ${name}\n${output.trim().replaceAll(/^/gm, "    ")}`);
  }

  skip(name, why) {
    this.#sums.skipped++;
    this.#sums.skippedNames.push(`${name}: ${why}`);
    say(`  skipped  ${name}: ${why}`);
  }

  /** Adds the sums of another report. */
  add(sums) {
    for (const [key, value] of Object.entries(this.#sums)) {
      if (Array.isArray(value)) value.push(...sums[key]);
      else this.#sums[key] += sums[key];
    }
  }

  /** Writes the sums and ends the process: 1 if anything failed. */
  end() {
    const at = process.argv.indexOf("--report");
    if (at > 0) {
      mkdirSync(dirname(process.argv[at + 1]), { recursive: true });
      writeFileSync(process.argv[at + 1], JSON.stringify(this.#sums));
    }
    process.exit(this.#sums.failed > 0 ? 1 : 0);
  }
}
