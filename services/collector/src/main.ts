import { runMain } from "@waymark/agent";
import { parseCommandLine } from "./cli.ts";
import { startCollector } from "./collector.ts";

/**
 * Runs a collector until SIGINT or SIGTERM.
 *
 * @returns 0, or 2 for a wrong command line, 3 when something is not permitted, 1 when it failed
 */
export function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runMain("collector", async ({ signal }) => {
    const terminal = process.stdout.isTTY === true;
    const line = parseCommandLine(argv, env, { uid: process.getuid?.(), terminal });
    if ("text" in line) {
      process.stdout.write(line.text);
      return;
    }
    const collector = await startCollector(line.config, process.stdout);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    await collector.close();
  });
}
