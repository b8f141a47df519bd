// npm run bench [-- PART OF A NAME…]: set-up, then every bench/*.bench.ts, one after the other.
import { basename, relative } from "node:path";
import { fail, root, run, say } from "./lib/run.mjs";
import { filesBelow } from "./lib/stamp.mjs";

const parts = process.argv.slice(2);
const setUp = await run(["node", "scripts/setup.mjs", "--for", "test"]);
if (setUp.code !== 0) fail("bench: the set-up failed", setUp.code);
const files = filesBelow(["bench"], /\.bench\.ts$/).filter(
  (file) => parts.length === 0 || parts.some((part) => basename(file).includes(part)),
);
if (files.length === 0) fail("bench: no such benchmark", 2);
let failed = 0;
for (const file of files) {
  say(`\nbench: ${relative(root, file)}`);
  const { code } = await run(["node", "--conditions=source", "--import", "tsx", file]);
  if (code !== 0) failed++;
}
process.exit(failed > 0 ? 1 : 0);
