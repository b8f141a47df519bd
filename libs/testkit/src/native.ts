import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { exec } from "./exec.ts";
import { requireTool } from "./privilege.ts";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "..");

/** The small C programs of this package, `native/<name>.c`. */
export type NativeProgram = "wire" | "datagrams" | "frames";

/**
 * Path of a compiled C program of this package; compiles it if it is missing or older than its source.
 * @throws {Error} no C compiler; @throws {CommandError} it does not compile
 */
export async function nativeProgram(name: NativeProgram): Promise<string> {
  const source = join(FOLDER, "native", `${name}.c`);
  const target = join(FOLDER, "build", name);
  if (existsSync(target) && statSync(target).mtimeMs >= statSync(source).mtimeMs) return target;
  mkdirSync(dirname(target), { recursive: true });
  const fresh = `${target}.${process.pid}`;
  await exec([requireTool("gcc"), "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-o", fresh, source]);
  renameSync(fresh, target);
  return target;
}
