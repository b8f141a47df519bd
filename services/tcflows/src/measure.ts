import { createLogger, type HostPort, type Logger, type LogLevel, type Publisher } from "@waymark/agent";
import { agentIdentity, openAgentPublisher, type ReportingOptions, systemClock, Telemetry } from "@waymark/probe";
import { Agent, type Exporter } from "./agent.ts";
import { type Measurement, type MeasurementOptions, measurementOf } from "./config.ts";
import { Meter } from "./meter.ts";
import { RecordPublisher } from "./publish.ts";
import { PlainReporter, type Reporter, type ReportOptions } from "./reporter.ts";
import type { ByteKind, SortKey } from "./rows.ts";
import { Timeline } from "./timeline.ts";
import { VERSION } from "./version.ts";

/** The values of the command line. */
export interface MeasureOptions extends MeasurementOptions, ReportingOptions {
  readonly intervalTotals: boolean;
  readonly top: number | undefined;
  readonly sort: SortKey;
  readonly bytes: ByteKind;
  readonly biflow: boolean;
  readonly connections: boolean;
  readonly logLevel: LogLevel;
  readonly format: "text" | "jsonl";
  readonly order: "first" | "last";
  readonly metrics: HostPort | undefined;
  readonly healthFile: string | undefined;
}

/** How long the last reports may take at an orderly end. */
const FLUSH_MS = 5000;
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
  const telemetry = new Telemetry(identity);
  for (const device of measurement.devices) telemetry.watch(device);
  await using _server = await telemetry.serve(options.metrics, options.healthFile);
  using meters = openMeters(measurement, options, logger);
  let agent: Agent | undefined;
  const counters = () => agent?.counters() ?? {};
  const publisher = openAgentPublisher({ identity, reporting: options, clock, counters, logger });
  const exporters: Exporter[] = [];
  if (options.report.length > 0) exporters.push(recordPublisher(publisher, timeline, meters.list));
  const reporter = openReporter(options, measurement, timeline);
  agent = new Agent({ measurement, meters: meters.list, timeline, logger, reporter, exporters, signal });
  telemetry.follow(publisher, counters);
  try {
    await agent.run();
  } finally {
    telemetry.end();
    await publisher.flush({ deadlineMs: FLUSH_MS });
    await publisher.close();
  }
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
  return new RecordPublisher(publisher, timeline.wallNs, (device) => linked.has(device));
}

function openReporter(options: MeasureOptions, measurement: Measurement, timeline: Timeline): Reporter {
  const { connections, format, intervalTotals, top, sort, bytes, biflow, dedup } = options;
  const text = connections ? "connections" : "table";
  const report: ReportOptions = {
    format: format === "jsonl" ? "jsonl" : text,
    ...{ intervalTotals, top, sort, bytes, biflow, dedup },
    manyDevices: measurement.devices.length > 1,
    wallNs: timeline.wallNs,
  };
  return new PlainReporter(report, (lines) => void process.stdout.write(lines));
}
