import type { Logger } from "@waymark/agent";
import { LossVerdict } from "@waymark/proto/query";
import type { Report } from "@waymark/proto/report";
import type { LossListener } from "./loss-feed.ts";
import type { LossRow } from "./verdict.ts";

/** The flow of a source that measures everything that leaves by its interface. */
const DEFAULT_FLOW = "default";
/** So many whole blocks in a row make a surplus constant… */
const BLOCKS = 6;
/** …if each lost at least this share… */
const LEAST_RATIO = 0.01;
/** …and none lost more than so many times what another did. */
const MOST_SPREAD = 1.5;
/** Paths that are followed. */
const MAX_PATHS = 1000;

/**
 * Warns once of each path whose source counts constantly more than its sink: that may be loss, or traffic that leaves by
 * the source's interface without passing the sink. Names where the source's packets go.
 */
export class SurplusWatch {
  readonly #log: Logger;
  readonly #ratios = new Map<string, number[]>();
  readonly #destinations = new Map<string, readonly string[]>();
  readonly #warned = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Hears of reports that were stored. */
  heard(report: Report): void {
    if (report.payload.case !== "loss") return;
    for (const { path, topDestinations } of report.payload.value.blocks) {
      if (topDestinations.length > 0) remember(this.#destinations, path, topDestinations);
    }
  }

  /** Hears of blocks. */
  readonly listener: LossListener = (changes) => {
    for (const { row, again } of changes) if (!again && row.flow === DEFAULT_FLOW) this.#add(row);
  };

  #add(row: LossRow): void {
    const isLossy = row.verdict === LossVerdict.COMPLETE && row.lossRatio >= LEAST_RATIO;
    const ratios = isLossy ? [...(this.#ratios.get(row.path) ?? []), row.lossRatio].slice(-BLOCKS) : [];
    remember(this.#ratios, row.path, ratios);
    if (ratios.length < BLOCKS || Math.max(...ratios) > MOST_SPREAD * Math.min(...ratios)) return;
    if (this.#warned.has(row.path) || this.#warned.size >= MAX_PATHS) return;
    this.#warned.add(row.path);
    const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / BLOCKS;
    this.#log.warn("the source counts constantly more than the sink", {
      path: row.path,
      percent: Number((mean * 100).toFixed(2)),
      top_destinations: this.#destinations.get(row.path) ?? [],
      hint: "if some of these are not reached through the sink, name what is with --flow, alike at both ends",
    });
  }
}

/** Sets, and forgets the oldest path beyond the bound. */
function remember<T>(map: Map<string, T>, path: string, value: T): void {
  map.delete(path);
  map.set(path, value);
  const oldest = map.keys().next();
  if (map.size > MAX_PATHS && !oldest.done) map.delete(oldest.value);
}
