import { dirname, join } from "node:path";
import { CommandError, runMain } from "@waymark/agent";
import { VERSION } from "../version.ts";
import { Controller } from "./controller.ts";
import { ProcessFile } from "./process-file.ts";

const HELP = `monitor_controller ${VERSION}: starts, ends and looks after a flowmon

Usage:
  monitor_controller start [--detached] [--pid-file FILE] [FLOWMON OPTIONS…]
  monitor_controller stop | status [--pid-file FILE]

  start       run flowmon with these options; with --detached in the background, once it measures
  stop        end it, with all it has still to report
  status      say whether it runs: exit code 0 if so, else 1

  --pid-file FILE   which flowmon, where there are several
                    default: /run/waymark/flowmon.pid, or in $XDG_RUNTIME_DIR for others than root
                    what a detached flowmon says is beside it, in flowmon.log

Examples:
  $ monitor_controller start --detached -i eth0 -packet_loss -server_port 8080
  $ monitor_controller status
  $ monitor_controller stop
`;
const ACTIONS = ["start", "stop", "status"] as const;

/** What the command line asks for. */
export interface ControllerCommand {
  readonly action: (typeof ACTIONS)[number];
  readonly detached: boolean;
  readonly pidFile: string;
  /** For flowmon. */
  readonly rest: readonly string[];
}

/** Reads the command line; undefined: only help or version is wanted. @throws CommandError */
export function parseController(argv: readonly string[], env: NodeJS.ProcessEnv): ControllerCommand | undefined {
  const [first, ...more] = argv;
  if (first === undefined) throw new CommandError("start, stop or status? see monitor_controller --help");
  if (["-h", "--help", "--version"].includes(first)) return undefined;
  const action = ACTIONS.find((name) => name === first);
  if (action === undefined) throw new CommandError(`"${first}" is not start, stop or status`);
  const rest = [...more];
  let detached = false;
  let pidFile = defaultPidFile(env);
  while (rest[0] === "--detached" || rest[0] === "--pid-file") {
    if (rest.shift() === "--detached") detached = true;
    else pidFile = rest.shift() ?? fail("--pid-file needs a FILE");
  }
  if (action !== "start" && (detached || rest.length > 0)) {
    fail(`${action} takes no "${detached ? "--detached" : rest[0]}"`);
  }
  return { action, detached, pidFile, rest };
}

function fail(message: string): never {
  throw new CommandError(message);
}

function defaultPidFile(env: NodeJS.ProcessEnv): string {
  const own = process.getuid?.() === 0 ? "/run" : (env["XDG_RUNTIME_DIR"] ?? "/tmp");
  return join(own, "waymark", "flowmon.pid");
}

/** The `monitor_controller` command. @returns the exit code */
export function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return runMain("monitor_controller", async ({ signal }) => {
    const command = parseController(argv, env);
    if (!command) {
      process.stdout.write(argv[0] === "--version" ? `${VERSION}\n` : HELP);
      return 0;
    }
    const print = (line: string) => void process.stdout.write(`${line}\n`);
    const log = join(dirname(command.pidFile), "flowmon.log");
    const controller = new Controller(new ProcessFile(command.pidFile), log, print);
    if (command.action === "stop") return controller.stop();
    if (command.action === "status") return controller.status();
    return command.detached ? controller.startDetached(command.rest) : controller.start(command.rest, signal);
  });
}
