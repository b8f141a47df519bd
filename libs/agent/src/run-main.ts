import { errorLine, exitCodeOf, exitCodes } from "./errors.ts";

/** What a service's main function gets. */
export interface MainContext {
  /** Aborted by the first SIGINT or SIGTERM, and when nobody reads standard output any more. */
  readonly signal: AbortSignal;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Runs a service: the one place that catches. An error becomes one line on standard error and the exit code
 * (2 usage, 3 not permitted or not supported, 1 anything else). The first SIGINT or SIGTERM aborts the signal,
 * the second one ends the process at once.
 *
 * @param main returns an exit code, or nothing for 0
 * @returns the exit code, which is also set as `process.exitCode`; the process ends when nothing is left to do
 */
export async function runMain(
  name: string,
  main: (context: MainContext) => Promise<number | undefined> | Promise<void>,
): Promise<number> {
  const controller = new AbortController();
  const stop = (received: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      removeHandlers();
      process.kill(process.pid, received);
      return;
    }
    controller.abort(new Error(`stopped by ${received}`));
  };
  const onOutputError = () => controller.abort(new Error("nobody reads standard output"));
  const removeHandlers = () => {
    for (const signal of SIGNALS) process.off(signal, stop);
    process.stdout.off("error", onOutputError);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  process.stdout.on("error", onOutputError);
  try {
    process.exitCode = (await main({ signal: controller.signal })) ?? exitCodes.ok;
  } catch (error) {
    process.stderr.write(`${name}: ${errorLine(error)}\n`);
    process.exitCode = exitCodeOf(error);
  } finally {
    removeHandlers();
  }
  return process.exitCode;
}
