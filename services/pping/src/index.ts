export { ppingCommand, ppingOptions } from "./cli.ts";
export { run } from "./main.ts";
export { type MeasureOptions, measure, type Surroundings } from "./measure.ts";
