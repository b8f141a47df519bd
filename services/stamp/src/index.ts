export { stampCommand } from "./cli.ts";
export { run, runWith } from "./main.ts";
export type { Surroundings, Terminal } from "./surroundings.ts";
export { VERSION } from "./version.ts";
