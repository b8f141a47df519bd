import { LogHistogram } from "@waymark/stats";
import type { Jitter } from "./jitter.ts";

/** Delays of one kind, signed nanoseconds: distribution, RFC 3550 jitter, and the variation of RFC 5481. */
export class DelayMetric {
  readonly histogram = new LogHistogram();
  #last: number | undefined;
  #jitterNs: number | undefined;
  #variations = 0;
  #variationSum = 0;
  #largestVariation = 0;

  /** Of the packet that arrived last. */
  get lastNs(): number | undefined {
    return this.#last;
  }

  /** RFC 3550 section 6.4.1, after the last packet; undefined before the second. */
  get jitterNs(): number | undefined {
    return this.#jitterNs;
  }

  /** Mean of |IPDV|, the differences of packets sent one after another (RFC 5481 section 4.1). */
  get ipdvNs(): number | undefined {
    return this.#variations > 0 ? this.#variationSum / this.#variations : undefined;
  }

  /** Largest |IPDV|. */
  get largestIpdvNs(): number | undefined {
    return this.#variations > 0 ? this.#largestVariation : undefined;
  }

  /** PDV (RFC 5481 section 4.2): how far the given percentile is above the least delay. */
  pdvNs(percent: number): number | undefined {
    const { min } = this.histogram;
    const delay = this.histogram.percentile(percent);
    return min === undefined || delay === undefined ? undefined : delay - min;
  }

  /** Adds a packet, in the order of arrival. @param jitter of all packets of the session, with this one in it already */
  add(delayNs: number, jitter: Jitter): void {
    this.histogram.add(delayNs);
    this.#last = delayNs;
    this.#jitterNs = jitter.valueNs;
  }

  /** Adds the difference between a packet and the one that was sent right before it. */
  addVariation(differenceNs: number): void {
    const size = Math.abs(differenceNs);
    this.#variations += 1;
    this.#variationSum += size;
    if (size > this.#largestVariation) this.#largestVariation = size;
  }

  /** Adds what a later interval of the same session has. */
  merge(later: DelayMetric): void {
    this.histogram.merge(later.histogram);
    this.#last = later.#last ?? this.#last;
    this.#jitterNs = later.#jitterNs ?? this.#jitterNs;
    this.#variations += later.#variations;
    this.#variationSum += later.#variationSum;
    this.#largestVariation = Math.max(this.#largestVariation, later.#largestVariation);
  }
}
