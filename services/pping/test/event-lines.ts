/** A sample as pping writes it with -F json or jsonl. */
export interface SampleLine {
  readonly timestamp: number;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_ip: string;
  readonly dest_port: number;
  readonly protocol: string;
  readonly rtt: number;
  readonly min_rtt: number;
  readonly match_on_egress: boolean;
  readonly method?: string;
}

/** A flow event as pping writes it. */
export interface EventLine extends Omit<SampleLine, "rtt" | "min_rtt" | "match_on_egress" | "method"> {
  readonly flow_event: "opening" | "closing";
  readonly reason: string;
  readonly triggered_by: string;
}

/** The samples among lines of -F jsonl. */
export function samplesOf(lines: readonly string[]): SampleLine[] {
  const all = lines.map((line) => JSON.parse(line) as SampleLine | EventLine);
  return all.filter((line): line is SampleLine => "rtt" in line);
}

/** The flow events among lines of -F jsonl. */
export function eventsOf(lines: readonly string[]): EventLine[] {
  const all = lines.map((line) => JSON.parse(line) as SampleLine | EventLine);
  return all.filter((line): line is EventLine => "flow_event" in line);
}

/** The method of a sample: told, or the only one of its protocol. */
export function methodOf({ method, protocol }: SampleLine): string {
  return method ?? (protocol === "TCP" ? "tcp_timestamp" : "icmp_echo");
}

/** `10.0.0.2:80+10.0.0.1:4000` */
export function flowOf({ src_ip, src_port, dest_ip, dest_port }: Omit<SampleLine, "rtt">): string {
  return `${src_ip}:${src_port}+${dest_ip}:${dest_port}`;
}

/** The middle one. @throws RangeError for none */
export function median(values: readonly number[]): number {
  const middle = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  if (middle === undefined) throw new RangeError("median of nothing");
  return middle;
}
