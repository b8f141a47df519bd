import { createLogger, type HostPort, type Logger, type LogLevel, type Publisher } from "@waymark/agent";
import {
  agentIdentity,
  type Counters,
  openAgentPublisher,
  type ReportingOptions,
  systemClock,
  Telemetry,
  type WallClock,
} from "@waymark/probe";
import { Agent, type Exporter } from "./agent.ts";
import { type Measurement, type MeasurementOptions, measurementOf } from "./config.ts";
import { MAX_RECORDS } from "./flow-table.ts";
import { IpfixExporter } from "./ipfix/exporter.ts";
import { parseIpfixTarget } from "./ipfix/target.ts";
import { Meter } from "./meter.ts";
import { type OutputOptions, openReporter } from "./output.ts";
import { RecordPublisher } from "./publish.ts";
import { Timeline } from "./timeline.ts";
import { VERSION } from "./version.ts";

/** The values of the command line. */
export interface MeasureOptions extends MeasurementOptions, OutputOptions, ReportingOptions {
  readonly ipfix: readonly string[];
  readonly logLevel: LogLevel;
  readonly order: "first" | "last";
  readonly metrics: HostPort | undefined;
  readonly healthFile: string | undefined;
}

/** How long the last reports may take at an orderly end. */
const FLUSH_MS = 5000;
/** Octets of a record in a report, about, with room to spare. */
const RECORD_BYTES = 192;
/** Reports that wait for a target: between these, in octets. */
const LEAST_WAITING = 16 * 1024 * 1024;
const MOST_WAITING = 256 * 1024 * 1024;
/** An identity's interface has at most so many characters. */
const MAX_INTERFACE = 64;

/** Measures until `signal` is aborted. @throws when it cannot, with a message of one line and an exit code */
export async function measure(options: MeasureOptions, signal: AbortSignal): Promise<void> {
  const logger = createLogger({ name: "tcflows", level: options.logLevel });
  const measurement = measurementOf(options);
  const clock = systemClock();
  const timeline = new Timeline(clock);
  const identity = agentIdentity(
    { service: "tcflows", role: "observer", interface: interfaceOf(measurement), version: VERSION },
    options,
  );
  let agent: Agent | undefined;
  const telemetry = new Telemetry(
    identity,
    () => ({}),
    () => agent?.gauges() ?? [],
  );
  for (const device of measurement.devices) telemetry.watch(device);
  await using _server = await telemetry.serve(options.metrics, options.healthFile);
  using meters = openMeters(measurement, options, logger);
  let ipfix: readonly IpfixExporter[] = [];
  const counters = () => ({ ...agent?.counters(), ...ipfixCounters(ipfix) });
  const publisher = openAgentPublisher({
    identity,
    reporting: options,
    clock,
    counters,
    logger,
    limits: limitsOf(measurement),
  });
  ipfix = openIpfix(options.ipfix, meters.list, timeline, clock, logger);
  const exporters: Exporter[] = [...ipfix];
  if (options.report.length > 0) exporters.push(recordPublisher(publisher, timeline, meters.list));
  const quit = new AbortController();
  const reporter = openReporter(options, measurement.devices, timeline, () => quit.abort());
  const ended = AbortSignal.any([signal, quit.signal]);
  agent = new Agent({ measurement, meters: meters.list, timeline, logger, reporter, exporters, signal: ended });
  telemetry.follow(publisher, counters);
  try {
    await agent.run();
  } finally {
    telemetry.end();
    await Promise.all([
      publisher.flush({ deadlineMs: FLUSH_MS }),
      ...ipfix.map((exporter) => exporter.close(FLUSH_MS)),
    ]);
    await publisher.close();
  }
}

/** Room for one round of records of all interfaces. */
function limitsOf({ devices, tableSize }: Measurement): { readonly memoryBytes: number } {
  const records = devices.length * Math.min(MAX_RECORDS, tableSize * 2);
  return { memoryBytes: Math.min(Math.max(LEAST_WAITING, records * RECORD_BYTES), MOST_WAITING) };
}

function interfaceOf({ devices }: Measurement): string {
  const all = devices.join(",");
  return all.length <= MAX_INTERFACE ? all : `${devices[0]} and ${devices.length - 1} more`;
}

function openMeters(
  { devices, tableSize, rules }: Measurement,
  { order }: MeasureOptions,
  logger: Logger,
): Disposable & { readonly list: readonly Meter[] } {
  const list: Meter[] = [];
  const close = () => {
    for (const meter of list) meter.close();
  };
  try {
    for (const device of devices) list.push(new Meter({ device, tableSize, rules, order }));
  } catch (error) {
    close();
    throw error;
  }
  for (const meter of list) {
    const memory = Math.ceil(meter.tableMemory() / 1024);
    logger.info("measuring", { interface: meter.device, hook: meter.hook, table_flows: tableSize, table_kib: memory });
  }
  return { list, [Symbol.dispose]: close };
}

function recordPublisher(publisher: Publisher, timeline: Timeline, meters: readonly Meter[]): RecordPublisher {
  const linked = new Set(meters.filter((meter) => meter.hasLinkHeader).map((meter) => meter.device));
  return new RecordPublisher({ publisher, timeline, hasLink: (device) => linked.has(device) });
}

function openIpfix(
  targets: readonly string[],
  meters: readonly Meter[],
  timeline: Timeline,
  clock: WallClock,
  logger: Logger,
): IpfixExporter[] {
  const ifindexes = new Map(meters.map((meter) => [meter.device, meter.ifindex]));
  const context = { wallNs: timeline.wallNs, ifindexOf: (device: string) => ifindexes.get(device) ?? 0 };
  const unique = new Map(targets.flatMap((text) => parseIpfixTarget(text) ?? []).map((target) => [target.url, target]));
  return [...unique.values()].map(
    (target) => new IpfixExporter({ target, context, nowNs: () => clock.nowNs(), logger }),
  );
}

function ipfixCounters(exporters: readonly IpfixExporter[]): Counters {
  if (exporters.length === 0) return {};
  const sum = (name: "sent" | "dropped" | "errors") =>
    exporters.reduce((total, exporter) => total + exporter.counts[name], 0n);
  return { ipfix_records: sum("sent"), ipfix_records_dropped: sum("dropped"), ipfix_errors: sum("errors") };
}
