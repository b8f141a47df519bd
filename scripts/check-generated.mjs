// Is the committed generated code what the generators make of today's sources? Exit 1 and names if not.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { findProgram, root, run, say } from "./lib/run.mjs";
import { filesBelow } from "./lib/stamp.mjs";

const SKIPPED = 77;
const [kind] = process.argv.slice(2);
const problems = [];

/** Where protobuf code is generated: the folder of buf.gen.yaml, and what it writes relative to that. */
const PROTOS = [
  { folder: "proto", out: "gen" },
  { folder: "services/collector/proto", out: "../src/gen" },
];

/** A folder of generated protobuf code, made anew in a temporary folder. */
async function checkProto({ folder: source, out }) {
  const folder = mkdtempSync(join(tmpdir(), "waymark-proto-"));
  try {
    // One level down, so that "../src/gen" stays inside.
    const inside = join(folder, "proto");
    const { code, output } = await run(["buf", "generate", "--output", inside], {
      cwd: join(root, source),
      quiet: true,
    });
    if (code !== 0) problems.push(output);
    else {
      const { code: differs, output: difference } = await run(
        ["diff", "-ru", join(root, source, out), join(inside, out)],
        { quiet: true },
      );
      if (differs !== 0) problems.push(difference.split("\n").slice(0, 40).join("\n"));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `*.gen.ts` beside BPF programs: generated in place, compared, and put back as they were. */
async function checkBpf() {
  if (findProgram("bpftool") === undefined) {
    say("bpftool is not installed");
    process.exit(SKIPPED);
  }
  if (!existsSync(join(root, "libs/bpf-runtime/codegen"))) return;
  const list = () => filesBelow(["libs", "services"], /\.gen\.ts$/);
  const before = new Map(list().map((file) => [file, readFileSync(file)]));
  const { code, output } = await run(["npm", "run", "--silent", "generate", "-w", "libs/bpf-runtime"], { quiet: true });
  if (code !== 0) problems.push(output);
  for (const file of list()) {
    const old = before.get(file);
    if (old?.equals(readFileSync(file))) continue;
    problems.push(`${relative(root, file)} is not fresh`);
    if (old === undefined) rmSync(file);
    else writeFileSync(file, old);
  }
}

if (kind === "proto") for (const proto of PROTOS) await checkProto(proto);
else if (kind === "bpf") await checkBpf();
else {
  say("usage: check-generated.mjs proto|bpf");
  process.exit(2);
}
if (problems.length > 0) {
  say(`${problems.join("\n")}\nrun: npm run generate`);
  process.exit(1);
}
