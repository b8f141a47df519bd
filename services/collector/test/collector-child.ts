// A collector as a process of its own, run from the sources.
import { run } from "../src/main.ts";

process.exitCode = await run(process.argv.slice(2), process.env);
