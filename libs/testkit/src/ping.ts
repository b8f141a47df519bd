import type { Namespace } from "./namespace.ts";

/** Answers to pings of a namespace. */
export interface PingResult {
  readonly transmitted: number;
  readonly received: number;
  /** Round-trip times in milliseconds, in the order of the answers. */
  readonly rttsMs: readonly number[];
}

/** Sends `count` echo requests `intervalMs` apart and waits for the answers. @throws {CommandError} ping cannot run */
export async function ping(
  ns: Namespace,
  to: string,
  options: {
    readonly count?: number;
    readonly intervalMs?: number;
    readonly size?: number;
    readonly tos?: number;
  } = {},
): Promise<PingResult> {
  const argv = [
    "ping",
    "-n",
    "-c",
    String(options.count ?? 1),
    "-i",
    String((options.intervalMs ?? 10) / 1000),
    "-W",
    "2",
  ];
  if (options.size !== undefined) argv.push("-s", String(options.size));
  if (options.tos !== undefined) argv.push("-Q", String(options.tos));
  const { stdout, code, stderr } = await ns.exec([...argv, to], { allowFailure: true });
  const summary = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  if (summary === null) throw new Error(`ping: exit ${code}: ${stderr}`);
  const rttsMs = [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
  return { transmitted: Number(summary[1]), received: Number(summary[2]), rttsMs };
}
