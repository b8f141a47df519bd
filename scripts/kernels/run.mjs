// node scripts/kernels/run.mjs COMMAND…: runs a command in this folder on Debian's own cloud kernel, in emulation, as
// root of a throw-away machine. It sees the host's files and writes into memory only. Exit code: the command's.
import { fail } from "../lib/run.mjs";
import { runInGuest } from "./guest.mjs";
import { provideKernel, whyNotHere } from "./kernel.mjs";

const argv = process.argv.slice(2);
if (argv.length === 0) fail("usage: node scripts/kernels/run.mjs COMMAND…", 2);
const why = whyNotHere();
if (why !== undefined) fail(`kernels: ${why}; npm run setup -- --for kernels`, 3);
const kernel = await provideKernel();
process.exit(await runInGuest(kernel, argv, { deadlineMs: 3_600_000 }));
