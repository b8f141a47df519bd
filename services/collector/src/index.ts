export { type Collector, startCollector } from "./collector.ts";
export type { Config } from "./config.ts";
export type { Output } from "./loss-printer.ts";
export { run } from "./main.ts";
