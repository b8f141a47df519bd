// Running programs from the scripts. Plain Node 20, no dependency: this runs before anything is installed.
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const bin = join(root, "node_modules", ".bin");
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** PATH with the repository's own programs (Node 24 among them) in front. */
export function toolPath() {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "" && folder !== bin);
  return [bin, ...folders, ...systemFolders.filter((folder) => !folders.includes(folder))].join(delimiter);
}

/** PATH without the repository's programs: for npm itself while it replaces node_modules. */
export function hostPath() {
  return toolPath().slice(bin.length + 1);
}

/** Path of a program, or undefined. */
export function findProgram(name, path = toolPath()) {
  for (const folder of path.split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** One plain line about what happens. */
export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Ends the script with one line on standard error. */
export function fail(text, code = 1) {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

const running = new Set();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    for (const child of running) child.kill(signal);
    process.exitCode = 130;
    if (running.size === 0) process.exit(130);
  });
}

/**
 * Runs a program without standard input and waits for its end. Resolves to { code, output }; `output` is what it wrote
 * when `quiet`, else "". Killed after `deadlineMs`.
 */
export function run(argv, { quiet = false, env = {}, cwd = root, path = toolPath(), deadlineMs = 0 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), {
      cwd,
      env: { ...process.env, PATH: path, ...env },
      stdio: ["ignore", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"],
    });
    running.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    const timer =
      deadlineMs > 0
        ? setTimeout(() => {
            output += `\nkilled: not done after ${deadlineMs / 1000} s\n`;
            if (!quiet) process.stderr.write(`killed: ${argv[0]} was not done after ${deadlineMs / 1000} s\n`);
            child.kill("SIGTERM");
            setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
          }, deadlineMs)
        : undefined;
    const end = (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, output });
    };
    child.on("error", (error) => {
      output += `${argv[0]}: ${error.message}\n`;
      end(127);
    });
    child.on("close", (code, signal) => {
      if (process.exitCode === 130) process.exit(130);
      end(code ?? (signal === null ? 1 : 128));
    });
  });
}
