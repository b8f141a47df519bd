import type { LogHistogram } from "@waymark/stats";
import type { Method } from "./method.ts";
import type { Amount } from "./traffic.ts";

/** What passed from or to a prefix. */
export interface PrefixTraffic {
  readonly timestamps: Amount;
  readonly noTimestamps: Amount;
  readonly other: Amount;
}

/** Round-trip times of one method. */
export interface MethodRtts {
  readonly method: Method;
  readonly local: boolean;
  readonly rtts: LogHistogram;
}

/** One prefix in one interval. */
export interface PrefixSummary {
  /** `192.0.2.0/24`; `0.0.0.0/0` also for all that found no room. */
  readonly prefix: string;
  readonly received: PrefixTraffic;
  readonly sent: PrefixTraffic;
  readonly methods: readonly MethodRtts[];
  /** All methods together; undefined without a sample. */
  readonly rtts: LogHistogram | undefined;
}

/** All three kinds together. */
export function totalOf({ timestamps, noTimestamps, other }: PrefixTraffic): Amount {
  return {
    packets: timestamps.packets + noTimestamps.packets + other.packets,
    l3Bytes: timestamps.l3Bytes + noTimestamps.l3Bytes + other.l3Bytes,
  };
}
