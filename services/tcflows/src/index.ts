export { tcflowsCommand } from "./cli.ts";
export { run } from "./main.ts";
