// npm run check: everything that can be said about the sources without running them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Report } from "./lib/report.mjs";
import { findProgram, root, run } from "./lib/run.mjs";
import { filesBelow } from "./lib/stamp.mjs";

const SKIPPED = 77;
const report = new Report();

async function check(name, argv, options = {}) {
  const { code, output } = await run(argv, { quiet: true, ...options });
  if (code === 0) report.pass(name);
  else if (code === SKIPPED) report.skip(name, output.trim());
  else report.fail(name, output || `exit ${code}: ${argv.join(" ")}`);
}

/** The protobuf contracts of the commit before, unpacked; undefined if there is none. */
async function earlierProto(folder) {
  for (const ref of ["origin/main", "main"]) {
    const base = await run(["git", "merge-base", "HEAD", ref], { quiet: true });
    const head = await run(["git", "rev-parse", "HEAD"], { quiet: true });
    if (base.code === 0 && base.output !== head.output) return unpack(base.output.trim(), folder);
  }
  return unpack("HEAD~1", folder);
}

async function unpack(commit, folder) {
  const script = 'git archive "$1" proto | tar -x -C "$2"';
  const { code } = await run(["bash", "-o", "pipefail", "-c", script, "bash", commit, folder], { quiet: true });
  return code === 0 ? join(folder, "proto") : undefined;
}

async function checkBreaking() {
  const name = "protobuf contracts: no breaking change";
  const folder = mkdtempSync(join(tmpdir(), "waymark-breaking-"));
  try {
    const earlier = await earlierProto(folder);
    if (earlier === undefined) report.skip(name, "no earlier commit with contracts is here");
    else await check(name, ["buf", "breaking", "--against", earlier], { cwd: join(root, "proto") });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await check("lint and format (biome)", ["biome", "ci", "--colors=off"]);
await check("types (tsc -b)", ["tsc", "-b"]);
await check("imports keep the rules", ["node", "scripts/check-imports.mjs"]);
await check("generated protobuf code is fresh", ["node", "scripts/check-generated.mjs", "proto"]);
await check("generated BPF code is fresh", ["node", "scripts/check-generated.mjs", "bpf"]);
await check("protobuf contracts: lint", ["buf", "lint"], { cwd: join(root, "proto") });
await checkBreaking();
if (findProgram("clang-format") === undefined) report.skip("C format (clang-format)", "clang-format is not installed");
else {
  const files = filesBelow(["libs", "services"], /\.(c|h|cc)$/);
  await check("C format (clang-format)", ["clang-format", "--dry-run", "-Werror", ...files]);
}
report.end();
