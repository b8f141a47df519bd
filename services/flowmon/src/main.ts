import { parseCommand, runMain } from "@waymark/agent";
import { flowmonCommand } from "./cli.ts";
import { measure } from "./measure.ts";

/**
 * The `flowmon` command.
 *
 * @returns the exit code: 0 ended by a signal, 1 failed while running, 2 usage, 3 not permitted or not supported
 */
export function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runMain("flowmon", async ({ signal }) => {
    const parsed = parseCommand(flowmonCommand, argv, env);
    if (parsed.kind === "run") return measure(parsed.values, parsed.given, signal);
    process.stdout.write(parsed.text);
  });
}
