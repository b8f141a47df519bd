import type { Display } from "./config-file.ts";
import { gapDeviation, gapMean } from "./gap-figures.ts";
import { eachTotal, type Interval, lengthS } from "./interval.ts";
import { PROTOCOL_CLASSES, type ProtocolClass, protocolClass } from "./protocol-class.ts";
import { type SequenceFigures, totalErrors } from "./sequence-figures.ts";
import { milliseconds, scaleRate } from "./units.ts";

/** What is printed. */
export interface TextOptions {
  readonly display: Display;
  /** Bits instead of bytes. */
  readonly bits: boolean;
  /** Sequence numbers are looked at. */
  readonly loss: boolean;
}

/** Lines of an interval's rates: `TCP bitrate [KBytes/sec]:  12.3456`. Bytes of IP packets; goodput: of payload. */
export function rateLines(interval: Interval, { display, bits }: TextOptions): string[] {
  const seconds = lengthS(interval);
  return eachTotal(interval.totals).flatMap(([name, figures]) => {
    const line = (what: string, bytes: bigint) => {
      const { value, unit } = scaleRate(Number(bytes) / seconds, bits);
      return `${name} ${what} [${unit}]:  ${value}`;
    };
    return [
      ...(display.throughput ? [line("bitrate", figures.l3Bytes)] : []),
      ...(display.goodput ? [line("goodput", figures.goodputBytes)] : []),
    ];
  });
}

/** Lines of the gaps between packets of a flow, over all flows: `Jitter[STDDEV] TCP: 0.1234 ms`, `Average TCP: … ms`. */
export function jitterLines({ totals }: Pick<Interval, "totals">, { display }: Pick<TextOptions, "display">): string[] {
  if (!display.jitter) return [];
  return eachTotal(totals).flatMap(([name, { gaps }]) => [
    `Jitter[STDDEV] ${name}: ${milliseconds(gapDeviation(gaps))} ms`,
    `Average ${name}: ${milliseconds(gapMean(gaps))} ms`,
  ]);
}

/** Lines of sequence numbers since the start. `seq_num` is that of the flow with the most bytes in the interval. */
export function sequenceLines(
  { flows }: Pick<Interval, "flows">,
  since: (name: ProtocolClass) => SequenceFigures,
  { display, loss }: Pick<TextOptions, "display" | "loss">,
): string[] {
  if (!display.sequenceErrors || !loss) return [];
  return PROTOCOL_CLASSES.map((name) => {
    const all = since(name);
    const busiest = flows.find(({ id, figures }) => protocolClass(id.protocol) === name && figures.sequence);
    return (
      `${name} seq_num: ${busiest?.figures.sequence?.current ?? all.current} count: ${all.received} ` +
      `reverse_err: ${all.reverse} small_err: ${all.small} big_err: ${all.big} ` +
      `total_sequence_errors: ${totalErrors(all)}`
    );
  });
}
