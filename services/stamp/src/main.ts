import { parseCommand, runMain } from "@waymark/agent";
import { systemClock } from "@waymark/probe";
import { stampCommand } from "./cli.ts";
import { runReflector } from "./reflector.ts";
import { runSender } from "./sender.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * The `stamp` command.
 *
 * @returns the exit code: 0 ended by itself or by a signal, 1 failed while running, 2 usage, 3 not permitted or not supported
 */
export function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { stdout } = process;
  const surroundings: Surroundings = {
    clock: systemClock(),
    terminal: {
      isTty: stdout.isTTY === true,
      get columns() {
        return stdout.columns || 80;
      },
      write: (text) => void stdout.write(text),
    },
  };
  return runWith(argv, env, surroundings);
}

/** `run` with a clock and an output of the caller's. */
export function runWith(argv: readonly string[], env: NodeJS.ProcessEnv, surroundings: Surroundings): Promise<number> {
  return runMain("stamp", async ({ signal }) => {
    const parsed = parseCommand(stampCommand, argv, env);
    if (parsed.kind !== "run") process.stdout.write(parsed.text);
    else if (parsed.command === "sender") await runSender(parsed.values, signal, surroundings);
    else await runReflector(parsed.values, signal, surroundings);
  });
}
