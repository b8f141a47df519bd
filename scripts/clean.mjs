// npm run clean [-- --all]: removes what set-up and tests made; with --all also node_modules.
import { readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { root, say } from "./lib/run.mjs";

const all = process.argv.includes("--all");
const made = new Set(["dist", "build", ".cache", ...(all ? ["node_modules"] : [])]);

function clean(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const isMade = entry.isDirectory() ? made.has(entry.name) : /\.(bpf\.o|node|tsbuildinfo)$/.test(entry.name);
    if (isMade) {
      say(`clean: ${relative(root, path)}`);
      rmSync(path, { recursive: true, force: true });
    } else if (entry.isDirectory() && entry.name !== ".git" && entry.name !== "node_modules") clean(path);
  }
}

clean(root);
