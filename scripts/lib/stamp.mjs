// What was done before, so that nothing is done twice: one JSON file of step → key in .cache.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root } from "./run.mjs";

const file = join(root, ".cache", "setup.json");
const skippedFolders = new Set(["node_modules", "dist", "build", ".cache", ".git"]);

/** All files below some folders or files of the repository whose path matches, sorted; absent ones are left out. */
export function filesBelow(places, pattern) {
  const found = [];
  const visit = (path) => {
    let entries;
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch (error) {
      if (error.code === "ENOTDIR" && pattern.test(path)) found.push(path);
      return;
    }
    for (const entry of entries) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) visit(inside);
      } else if (pattern.test(inside)) found.push(inside);
    }
  };
  for (const place of places) visit(join(root, place));
  return found.sort();
}

/** One hash over words and over the names and contents of files. */
export function keyOf(words, files) {
  const hash = createHash("sha256");
  for (const word of words) hash.update(`${word}\0`);
  for (const path of files)
    hash
      .update(`${relative(root, path)}\0`)
      .update(readFileSync(path))
      .update("\0");
  return hash.digest("hex");
}

function readStamps() {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return {};
  }
}

/** Was this step done with this key? */
export function isDone(step, key) {
  return readStamps()[step] === key;
}

/** Remembers that this step was done with this key. */
export function markDone(step, key) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...readStamps(), [step]: key }, undefined, 2)}\n`);
}
