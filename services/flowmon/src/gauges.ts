import type { Metric } from "@waymark/agent";
import { flowName } from "./flow-id.ts";
import { gapDeviation, gapMean } from "./gap-figures.ts";
import { eachTotal, type Interval, lengthS } from "./interval.ts";
import type { ProtocolClass } from "./protocol-class.ts";
import type { FlowReading } from "./reading.ts";
import { netLost, type SequenceFigures, totalErrors } from "./sequence-figures.ts";

/** How the gauges are made. */
export interface GaugeOptions {
  /** The original's throughput and goodput in bits. */
  readonly bits: boolean;
  readonly loss: boolean;
  /** Flows with labels at the most: the busiest of the interval. */
  readonly maxFlows: number;
  readonly since: (name: ProtocolClass) => SequenceFigures;
}

const MS_PER_NS = 1e-6;
const S_PER_NS = 1e-9;

/** The gauges of the last interval: under the original's names by protocol, under proper ones by flow. */
export function gaugeMetrics(interval: Interval, options: GaugeOptions): Metric[] {
  return [...originalGauges(interval, options), ...flowGauges(interval, options)];
}

function gauge(name: string, help: string, value: number | bigint | undefined): Metric[] {
  return value === undefined ? [] : [{ name, help, type: "gauge", samples: [{ value }] }];
}

/** `tcp_throughput`, `udp_jitter_avg` and so on; a value that is not known is absent. */
function originalGauges(interval: Interval, { bits, loss, since }: GaugeOptions): Metric[] {
  const seconds = lengthS(interval);
  const unit = bits ? "bits" : "bytes";
  const rate = (bytes: bigint) => (Number(bytes) * (bits ? 8 : 1)) / seconds;
  const ms = (ns: number | undefined) => (ns === undefined ? undefined : ns * MS_PER_NS);
  return eachTotal(interval.totals).flatMap(([protocol, { l3Bytes, goodputBytes, gaps }]) => {
    const name = protocol.toLowerCase();
    const numbers = since(protocol);
    return [
      ...gauge(`${name}_throughput`, `IP ${unit} of ${protocol} a second.`, rate(l3Bytes)),
      ...gauge(`${name}_goodput`, `Payload ${unit} of ${protocol} a second, none twice.`, rate(goodputBytes)),
      ...gauge(`${name}_jitter_avg`, `Mean gap between packets of a ${protocol} flow in ms.`, ms(gapMean(gaps))),
      ...gauge(`${name}_jitter_stddev`, `Standard deviation of these gaps in ms.`, ms(gapDeviation(gaps))),
      ...(loss ? sequenceGauges(name, numbers) : []),
    ];
  });
}

function sequenceGauges(name: string, numbers: SequenceFigures): Metric[] {
  return [
    ...gauge(`${name}_seq_num`, "The newest sequence number.", numbers.current),
    ...gauge(`${name}_count`, "Packets with a number (TCP: bytes) since the start.", numbers.received),
    ...gauge(`${name}_reverse_err`, "Packets with a smaller number than one before, since the start.", numbers.reverse),
    ...gauge(`${name}_small_err`, "Packets ahead by at most the threshold, since the start.", numbers.small),
    ...gauge(`${name}_big_err`, "Packets ahead by more than the threshold, since the start.", numbers.big),
    ...gauge(`${name}_total_err`, "All of these errors.", totalErrors(numbers)),
  ];
}

type FlowValue = (flow: FlowReading, seconds: number) => number | undefined;

const scaled = (ns: number | undefined) => (ns === undefined ? undefined : ns * S_PER_NS);
const FLOW_GAUGES: readonly (readonly [string, string, FlowValue])[] = [
  ["throughput_bytes_per_second", "IP bytes a second.", ({ figures }, s) => Number(figures.l3Bytes) / s],
  [
    "goodput_bytes_per_second",
    "Payload bytes a second, none twice.",
    ({ figures }, s) => Number(figures.goodputBytes) / s,
  ],
  ["gap_mean_seconds", "Mean time between packets.", ({ figures }) => scaled(gapMean(figures.gaps))],
  ["gap_stddev_seconds", "Its standard deviation.", ({ figures }) => scaled(gapDeviation(figures.gaps))],
  [
    "rtp_jitter_seconds",
    "Interarrival jitter of RFC 3550.",
    ({ figures: { rtpJitterNs } }) => (rtpJitterNs === undefined ? undefined : Number(rtpJitterNs) * S_PER_NS),
  ],
  ["burst_1ms_bytes", "Most IP bytes in a millisecond.", ({ figures }) => Number(figures.burst1msL3Bytes)],
  ["burst_10ms_bytes", "Most IP bytes in ten milliseconds.", ({ figures }) => Number(figures.burst10msL3Bytes)],
  [
    "lost",
    "Numbers (TCP: bytes) lost in the interval; negative where more came late.",
    ({ figures: { sequence } }) => (sequence ? Number(netLost(sequence)) : undefined),
  ],
];

function flowGauges(interval: Interval, { maxFlows }: GaugeOptions): Metric[] {
  const shown = interval.flows.slice(0, maxFlows);
  const seconds = lengthS(interval);
  const metrics = FLOW_GAUGES.map(([name, help, value]): Metric => {
    const samples = shown.flatMap((flow) => {
      const found = value(flow, seconds);
      return found === undefined ? [] : [{ labels: labelsOf(flow), value: found }];
    });
    return { name: `waymark_flowmon_flow_${name}`, help, type: "gauge", samples };
  });
  const hidden = interval.flows.length - shown.length;
  return [
    ...metrics.filter(({ samples }) => samples.length > 0),
    ...gauge("waymark_flowmon_flows", "Flows with a packet in the last interval.", interval.flows.length),
    ...gauge("waymark_flowmon_flows_without_labels", "Of those, beyond --metric-flows.", hidden),
  ];
}

function labelsOf({ id }: FlowReading): Readonly<Record<string, string>> {
  return { interface: id.interface, direction: id.direction, flow: flowName(id) };
}
