import type { BpfRingBuffer } from "@waymark/bpf-runtime";
import type { StampObserved } from "../bpf/stamp_reflector.gen.ts";
import { parseErrorEstimate } from "./codec/error-estimate.ts";
import { decodeTime } from "./codec/time-stamp.ts";
import type { LinearHistogram } from "./report/linear-histogram.ts";
import { milliseconds } from "./report/units.ts";
import { DelayMetric } from "./stats/delay-metric.ts";
import { Jitter } from "./stats/jitter.ts";

/** What a reflector knows by itself: how long requests took to it (T2 − T1), the difference of both clocks included. */
export class NearEnd {
  readonly #taiOffsetS: number;
  readonly #histogram: LinearHistogram | undefined;
  readonly #forward = new DelayMetric();
  readonly #jitter = new Jitter();
  #requests = 0;

  constructor(taiOffsetS: number, histogram: LinearHistogram | undefined) {
    this.#taiOffsetS = taiOffsetS;
    this.#histogram = histogram;
  }

  /** Takes in requests until the ring is closed. */
  async run(ring: BpfRingBuffer<StampObserved>): Promise<void> {
    for await (const batch of ring.batches()) for (const record of batch) this.#add(record);
  }

  #add({ received_ns, sent, error_estimate }: StampObserved): void {
    this.#requests++;
    const { format } = parseErrorEstimate(Number(error_estimate));
    const sentNs = decodeTime(sent, format, this.#taiOffsetS, received_ns);
    const delayNs = Number(received_ns - (sentNs ?? received_ns));
    if (sentNs === undefined || !Number.isSafeInteger(delayNs)) return;
    this.#jitter.add(delayNs);
    this.#forward.add(delayNs, this.#jitter);
    this.#histogram?.add(delayNs);
  }

  /** Figures so far, by name. */
  fields(): Readonly<Record<string, number | null>> {
    const { histogram, lastNs, jitterNs } = this.#forward;
    const { min, max, mean } = histogram;
    const rounded = (ns: number | undefined) => (ns === undefined ? null : Math.round(ns));
    return {
      requests: this.#requests,
      near_end_min_ns: rounded(min),
      near_end_max_ns: rounded(max),
      near_end_mean_ns: rounded(mean),
      near_end_last_ns: rounded(lastNs),
      near_end_jitter_ns: rounded(jitterNs),
    };
  }

  /** One line for people. */
  text(): string {
    const { histogram, lastNs, jitterNs } = this.#forward;
    const parts = Object.entries({
      min: histogram.min,
      max: histogram.max,
      avg: histogram.mean,
      last: lastNs,
      jitter: jitterNs,
    });
    return `requests ${this.#requests}  near-end ${parts.map(([name, ns]) => `${name} ${milliseconds(ns)}`).join("  ")} ms`;
  }
}
