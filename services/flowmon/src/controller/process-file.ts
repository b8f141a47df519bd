import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** A process, told apart from a later one with the same number by when it was started. */
export interface RunningProcess {
  readonly pid: number;
  /** Clock ticks since the host's start, as in /proc. */
  readonly startTicks: string;
}

/** `comm` in /proc/PID/stat may hold spaces and brackets; behind its end the fields are plain. */
const START_TICKS_FIELD = 19;

/** The process of that number, if there is one that has not ended. */
export function findProcess(pid: number): RunningProcess | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined; // no such process
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTicks = fields[START_TICKS_FIELD];
  return fields[0] === "Z" || startTicks === undefined ? undefined : { pid, startTicks };
}

/** The file in which the controller remembers which process it started. */
export class ProcessFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The process that was written there, if it still runs; what is left of one that does not is removed. */
  read(): RunningProcess | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, "latin1");
    } catch {
      return undefined; // nothing was started
    }
    const [pid, startTicks] = text.trim().split(" ");
    const found = findProcess(Number(pid));
    if (found?.startTicks === startTicks) return found;
    this.remove();
    return undefined;
  }

  /** @throws when the file cannot be written */
  write({ pid, startTicks }: RunningProcess): void {
    mkdirSync(dirname(this.path), { recursive: true });
    writeFileSync(this.path, `${pid} ${startTicks}\n`);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
