import { CommandError } from "@waymark/agent";
import type { FormatName } from "./event-format.ts";

/** What the command line says about measuring. Durations in nanoseconds. */
export interface MeasurementOptions {
  readonly rateLimit: bigint;
  readonly rttRate: number;
  readonly rttType: "min" | "smoothed";
  readonly cleanupInterval: bigint;
  readonly format: FormatName | "text";
  readonly ingressHook: "tc" | "xdp";
  readonly xdpMode: "unspecified" | "native" | "generic";
  readonly tcp: boolean;
  readonly icmp: boolean;
  readonly sequence: boolean;
  readonly handshake: boolean;
  readonly dns: boolean;
  readonly quic: boolean;
  readonly includeLocal: boolean;
  readonly includeSyn: boolean;
  readonly aggregate: bigint | undefined;
  readonly aggregateSubnetsV4: number;
  readonly aggregateSubnetsV6: number;
  readonly aggregateReverse: boolean;
  readonly aggregateTimeout: bigint;
  readonly interval: bigint;
  readonly flows: number;
  readonly stamps: number;
  readonly prefixes: number;
}

/** Which packets are measured. */
export interface Methods {
  readonly tcp: boolean;
  readonly icmp: boolean;
  readonly sequence: boolean;
  readonly handshake: boolean;
  readonly dns: boolean;
  readonly quic: boolean;
}

/** How round-trip times are summed up by prefix. */
export interface Aggregation {
  readonly intervalNs: bigint;
  readonly timeoutNs: bigint;
  readonly ipv4Bits: number;
  readonly ipv6Bits: number;
  /** A sample counts for where the answer goes. */
  readonly reverse: boolean;
  readonly prefixes: number;
}

/** What is measured, and how. */
export interface Measurement {
  readonly methods: Methods;
  readonly rateLimitNs: bigint;
  /** Samples at most every so many round-trip times; 0: not limited so. */
  readonly rttRate: number;
  readonly smoothed: boolean;
  readonly includeLocal: boolean;
  readonly includeSyn: boolean;
  /** 0: never. */
  readonly cleanupNs: bigint;
  /** Of summaries. */
  readonly intervalNs: bigint;
  readonly ingress: "tc" | "xdp";
  readonly xdpMode: "auto" | "native" | "generic";
  readonly aggregation: Aggregation | undefined;
  readonly flows: number;
  readonly stamps: number;
  readonly format: FormatName;
}

/** @throws CommandError for options that do not go together */
export function measurementOf(options: MeasurementOptions): Measurement {
  const { aggregate, format, xdpMode } = options;
  if (aggregate !== undefined && format === "ppviz") {
    throw new CommandError("--format ppviz has no aggregates; use standard, json or jsonl with --aggregate");
  }
  return {
    methods: methodsOf(options),
    rateLimitNs: options.rateLimit,
    rttRate: options.rttRate,
    smoothed: options.rttType === "smoothed",
    includeLocal: options.includeLocal,
    includeSyn: options.includeSyn,
    cleanupNs: options.cleanupInterval,
    intervalNs: aggregate ?? options.interval,
    ingress: options.ingressHook,
    xdpMode: xdpMode === "unspecified" ? "auto" : xdpMode,
    aggregation:
      aggregate === undefined
        ? undefined
        : {
            intervalNs: aggregate,
            timeoutNs: options.aggregateTimeout,
            ipv4Bits: options.aggregateSubnetsV4,
            ipv6Bits: options.aggregateSubnetsV6,
            reverse: options.aggregateReverse,
            prefixes: options.prefixes,
          },
    flows: options.flows,
    stamps: options.stamps,
    format: format === "text" ? "standard" : format,
  };
}

function methodsOf(options: MeasurementOptions): Methods {
  const { icmp, sequence, handshake, dns, quic } = options;
  const tcp = options.tcp || sequence || handshake || !(icmp || dns || quic);
  return { tcp, icmp, sequence, handshake, dns, quic };
}
