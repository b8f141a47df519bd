import { parseCommand, runMain } from "@waymark/agent";
import { altmarkCommand } from "./cli.ts";
import { measure } from "./measure.ts";

/**
 * The `altmark` command.
 *
 * @returns the exit code: 0 ended by a signal, 1 failed while running, 2 usage, 3 not permitted or not supported
 */
export function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runMain("altmark", async ({ signal }) => {
    const parsed = parseCommand(altmarkCommand, argv, env);
    if (parsed.kind === "run") return measure(parsed.command, parsed.values, signal);
    process.stdout.write(parsed.text);
  });
}
