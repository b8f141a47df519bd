#!/usr/bin/env node
// npm run demo [-- --seconds N]: sets up what is missing, then runs demo/run.mjs where it cannot touch the host.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const SCRIPTS = dirname(fileURLToPath(import.meta.url));
const DEFAULT_SECONDS = 30;

const seconds = secondsOf(process.argv.slice(2));
if (process.getuid?.() !== 0)
  fail("npm run demo makes network namespaces and loads packet programs: run it as root", 3);
run(process.execPath, [join(SCRIPTS, "setup.mjs"), "--for", "demo"]);
const inside = 'ip link set lo up && mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec "$@"';
const node = join(SCRIPTS, "../node_modules/.bin/node");
run("unshare", ["--net", "--mount", "sh", "-ec", inside, "demo", node, join(SCRIPTS, "demo/run.mjs"), String(seconds)]);

function secondsOf(args) {
  if (args.length === 0) return DEFAULT_SECONDS;
  const value = args.length === 1 ? args[0].split("=")[1] : args[1];
  const known = args[0] === "--seconds" || (args.length === 1 && args[0].startsWith("--seconds="));
  if (!known || args.length > 2) fail(`unknown "${args.join(" ")}"; npm run demo -- --seconds N`, 2);
  if (!/^\d+$/.test(value ?? "") || Number(value) < 5 || Number(value) > 3600)
    fail(`--seconds ${value} is not 5 to 3600`, 2);
  return Number(value);
}

function run(file, args) {
  const { status, signal, error } = spawnSync(file, args, { stdio: "inherit" });
  if (error) fail(`${file}: ${error.message}`, 1);
  if (status !== 0) process.exit(signal ? 1 : status);
}

function fail(message, code) {
  process.stderr.write(`demo: ${message}\n`);
  process.exit(code);
}
