export type { WallClock } from "@waymark/probe";
export { altmarkCommand } from "./cli.ts";
export { run } from "./main.ts";
export { type MeasureOptions, measureWith, type Surroundings } from "./measure.ts";
