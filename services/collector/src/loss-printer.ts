import type { StoreClock } from "./clock.ts";
import type { LossListener } from "./loss-feed.ts";
import { formatLossLine } from "./print.ts";
import type { Store } from "./store/store.ts";

/** Where printed lines go. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

const RECENT_NS = 3_600_000_000_000n;

/** Prints a line for every block that is decided or changes. */
export class LossPrinter {
  readonly #output: Output;
  readonly #colour: boolean;
  // Two are as good as many: then lines say which one they mean.
  readonly #paths = new Set<string>();
  readonly #flows = new Set<string>();

  private constructor(output: Output, colour: boolean) {
    this.#output = output;
    this.#colour = colour;
  }

  /** Looks up which paths and flows have been reported lately. */
  static async create(store: Store, clock: StoreClock, output: Output): Promise<LossPrinter> {
    const printer = new LossPrinter(output, output.isTTY === true && !process.env["NO_COLOR"]);
    const since = clock.readNs() - RECENT_NS;
    const rows = await store.query(
      `SELECT groupUniqArray(2)(path) AS paths, groupUniqArrayArray(2)(flow_names) AS flows
      FROM loss_record WHERE path != '' AND start_ns >= {since:UInt64}`,
      { since },
    );
    for (const path of (rows[0]?.["paths"] ?? []) as string[]) printer.#paths.add(path);
    for (const flow of (rows[0]?.["flows"] ?? []) as string[]) printer.#flows.add(flow);
    return printer;
  }

  /** Hears of blocks. */
  readonly listener: LossListener = (changes) => {
    for (const { row } of changes) {
      if (this.#paths.size < 2) this.#paths.add(row.path);
      if (this.#flows.size < 2) this.#flows.add(row.flow);
    }
    const named = this.#paths.size > 1 || this.#flows.size > 1;
    const lines = changes.map(({ row, again }) =>
      formatLossLine(row, { named, revised: again || row.revision > 1, colour: this.#colour }),
    );
    if (lines.length > 0) this.#output.write(`${lines.join("\n")}\n`);
  };
}
