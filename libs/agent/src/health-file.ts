import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { AgentError, errorLine, exitCodeOf } from "./errors.ts";
import type { Health } from "./health.ts";

/** How often the file is renewed; one that is older than a few of these belongs to a process that is stopped or stuck. */
export const HEALTH_FILE_PERIOD_MS = 1000;

/**
 * Keeps a file that says `healthy`, or what is wrong, one reason a line, and is renewed every second: for health checks
 * without a port. The file goes when this is disposed.
 *
 * @throws AgentError (WAYMARK_HEALTH_FILE) when it cannot be written
 */
export function keepHealthFile(path: string, health: Pick<Health, "state">): Disposable {
  let written: string | undefined;
  const renew = () => {
    const { healthy, reasons } = health.state;
    const text = healthy ? "healthy\n" : `${reasons.join("\n")}\n`;
    const now = new Date();
    if (text === written) return utimesSync(path, now, now);
    written = undefined;
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    written = text;
  };
  try {
    mkdirSync(dirname(path), { recursive: true });
    renew();
  } catch (error) {
    throw new AgentError(`--health-file: ${errorLine(error)}`, "WAYMARK_HEALTH_FILE", exitCodeOf(error), {
      cause: error,
    });
  }
  const timer = setInterval(() => {
    try {
      renew();
    } catch {
      // A file that grows old says the same: this process is not well.
      written = undefined;
    }
  }, HEALTH_FILE_PERIOD_MS);
  timer.unref();
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      rmSync(path, { force: true });
    },
  };
}
