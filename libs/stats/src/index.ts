export { boundsOf, type HistogramBuckets, LogHistogram, PRECISION_BITS } from "./log-histogram.ts";
