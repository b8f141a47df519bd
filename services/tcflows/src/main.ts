import { parseCommand, runMain } from "@waymark/agent";
import { tcflowsCommand } from "./cli.ts";
import { measure } from "./measure.ts";

/**
 * The `tcflows` command.
 *
 * @returns the exit code: 0 ended by a signal, 1 failed while running, 2 usage, 3 not permitted or not supported
 */
export function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runMain("tcflows", async ({ signal }) => {
    const parsed = parseCommand(tcflowsCommand, argv, env);
    if (parsed.kind === "run") return measure(parsed.values, signal);
    process.stdout.write(parsed.text);
  });
}
