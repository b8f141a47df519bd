import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where the object of a generated module was built: `build/<name>.bpf.o` in the module's package, wherever in the package
 * the module itself lies (as source or compiled).
 * @param moduleUrl `import.meta.url` of the generated module
 */
export function objectPath(moduleUrl: string, name: string): string {
  const start = dirname(fileURLToPath(moduleUrl));
  let folder = start;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`${start} is in no package: there is no package.json above it`);
    folder = parent;
  }
  return join(folder, "build", `${name}.bpf.o`);
}
