export { altmarkCommand } from "./cli.ts";
export { run } from "./main.ts";
export { type MeasureOptions, measureWith, type Surroundings } from "./measure.ts";
export type { WallClock } from "./wall-clock.ts";
