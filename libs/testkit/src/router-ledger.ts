import type { Counter } from "./nft-counters.ts";
import type { PacketMatch, RouterRule } from "./router-rule.ts";

/** What the router saw and dropped of one block's colour. */
export interface RouterBlock {
  readonly seen: bigint;
  readonly dropped: bigint;
}

/** A LossyRouter, or something else with counters named as by {@link ledgerRules}. */
export interface CounterSource {
  counters(): Promise<ReadonlyMap<string, Counter>>;
}

const NS_PER_MS = 1_000_000n;
/** Names of the two colours' DSCP values. */
const DSCP = [2, 3] as const;

/** Both families with the DSCP of a colour. */
export function colour(index: 0 | 1, match: PacketMatch = {}): PacketMatch[] {
  return ([4, 6] as const).map((family) => ({ ...match, family, dscp: DSCP[index] }));
}

/** Router rules that count each colour, and those chosen by `drop` apart; `drop` may be any rule of the router's. */
export function ledgerRules(drops: readonly RouterRule[], others: readonly RouterRule[] = []): RouterRule[] {
  return [
    { name: "seen", action: "count", split: { seen0: colour(0), seen1: colour(1) } },
    ...drops.map((rule, i) => ({
      ...rule,
      name: `dropped_${i}`,
      action: "drop" as const,
      split: { [`dropped0_${i}`]: colour(0), [`dropped1_${i}`]: colour(1) },
    })),
    ...others,
  ];
}

/**
 * The truth that does not come from us: nft's counters in the router, read for each colour while the other one is on the
 * way, so that the difference of two readings is what belongs to one block.
 */
export class RouterLedger implements AsyncDisposable {
  /** By block number; only blocks that began and ended while the ledger ran. */
  readonly blocks = new Map<bigint, RouterBlock>();
  readonly #router: CounterSource;
  readonly #intervalNs: bigint;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #last = new Map<number, RouterBlock & { readonly blockNumber: bigint }>();

  private constructor(router: CounterSource, intervalNs: bigint) {
    this.#router = router;
    this.#intervalNs = intervalNs;
  }

  /** Begins to keep the ledger; the router has `ledgerRules`. */
  static start(router: CounterSource, intervalNs: bigint): RouterLedger {
    const ledger = new RouterLedger(router, intervalNs);
    ledger.#running = ledger.#run();
    return ledger;
  }

  /** @throws {Error} a reading failed */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const now = nowNs();
      const untilMiddle = this.#intervalNs - ((now + this.#intervalNs / 2n) % this.#intervalNs);
      await pause(untilMiddle, this.#stop.signal);
      if (!this.#stop.signal.aborted) await this.#read();
    }
  }

  async #read(): Promise<void> {
    const open = nowNs() / this.#intervalNs;
    const counters = await this.#router.counters();
    // Too late: the next block of this colour may have begun.
    if (nowNs() / this.#intervalNs !== open) {
      this.#last.clear();
      return;
    }
    const blockNumber = open - 1n;
    const index = Number(blockNumber & 1n);
    const sum = (prefix: string) =>
      [...counters].reduce((total, [name, value]) => (name.startsWith(prefix) ? total + value.packets : total), 0n);
    const reading = { blockNumber, seen: sum(`seen${index}`), dropped: sum(`dropped${index}`) };
    const before = this.#last.get(index);
    this.#last.set(index, reading);
    if (before?.blockNumber === blockNumber - 2n) {
      this.blocks.set(blockNumber, { seen: reading.seen - before.seen, dropped: reading.dropped - before.dropped });
    }
  }
}

function nowNs(): bigint {
  return BigInt(Date.now()) * NS_PER_MS;
}

function pause(ns: bigint, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, Number(ns / NS_PER_MS));
    signal.addEventListener("abort", done, { once: true });
  });
}
