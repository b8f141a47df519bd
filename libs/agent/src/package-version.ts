import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The version in the package.json of the package that a module belongs to, as source or compiled.
 *
 * @param moduleUrl `import.meta.url`
 * @throws Error if there is no package.json above it
 */
export function packageVersion(moduleUrl: string): string {
  let folder = dirname(fileURLToPath(moduleUrl));
  while (!existsSync(join(folder, "package.json"))) {
    if (folder === dirname(folder)) throw new Error(`${moduleUrl} is in no package`);
    folder = dirname(folder);
  }
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}
