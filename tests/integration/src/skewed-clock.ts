import type { WallClock } from "@waymark/altmark";
import { clockNow, type KernelClockHealth, kernelClockHealth, monotonicNow } from "@waymark/bpf-runtime";

/**
 * The clock of another host, for tests: this kernel's, `skewNs` ahead (or behind), under a boot id of its own.
 * `step` sets it as an operator would.
 */
export class SkewedClock implements WallClock {
  readonly kernelBootId: string;
  readonly #health: KernelClockHealth;
  #skewNs: bigint;
  #waiting: (() => void) | undefined;

  constructor(kernelBootId: string, skewNs: bigint, health: KernelClockHealth) {
    this.kernelBootId = kernelBootId;
    this.#skewNs = skewNs;
    this.#health = health;
  }

  nowNs(): bigint {
    return clockNow() + this.#skewNs;
  }

  monotonicNs(): bigint {
    return monotonicNow();
  }

  offsetFromTaiNs(): bigint {
    return BigInt(kernelClockHealth().taiOffsetS) * -1_000_000_000n + this.#skewNs;
  }

  health(): KernelClockHealth {
    return this.#health;
  }

  offsetNs(): bigint {
    return clockNow() - monotonicNow() + this.#skewNs;
  }

  /** Sets the clock `byNs` ahead (or back). */
  step(byNs: bigint): void {
    this.#skewNs += byNs;
    this.#waiting?.();
  }

  async *changes(signal: AbortSignal): AsyncGenerator<void> {
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      yield;
    }
  }
}
