#!/usr/bin/env node
import { run } from "../dist/src/controller/main.js";

process.exitCode = await run(process.argv.slice(2), process.env);
