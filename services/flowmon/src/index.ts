export { flowmonCommand } from "./cli.ts";
export { run } from "./main.ts";
