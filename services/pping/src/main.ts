import { parseCommand, runMain } from "@waymark/agent";
import { ppingCommand } from "./cli.ts";
import { measure } from "./measure.ts";

/**
 * The `pping` command.
 *
 * @returns the exit code: 0 ended by a signal, 1 failed while running, 2 usage, 3 not permitted or not supported
 */
export function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runMain("pping", async ({ signal }) => {
    const parsed = parseCommand(ppingCommand, argv, env);
    if (parsed.kind !== "run") {
      process.stdout.write(parsed.text);
      return;
    }
    await measure(parsed.values, signal, {
      stdout: process.stdout,
      onReopen: (reopen) => {
        process.on("SIGHUP", reopen);
        return () => process.off("SIGHUP", reopen);
      },
    });
  });
}
