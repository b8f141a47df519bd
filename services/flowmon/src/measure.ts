import { createLogger, errorLine, type HostPort, type Logger, type LogLevel, startMetricsServer } from "@waymark/agent";
import {
  agentIdentity,
  lockInstance,
  openAgentPublisher,
  type ReportingOptions,
  systemClock,
  Telemetry,
} from "@waymark/probe";
import { Agent } from "./agent.ts";
import { type Measurement, type MeasurementOptions, measurementOf } from "./config.ts";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { gaugeMetrics } from "./gauges.ts";
import type { Interval } from "./interval.ts";
import { Meter } from "./meter.ts";
import { Printer } from "./printer.ts";
import { IntervalPublisher } from "./publish.ts";
import { sayReady } from "./ready.ts";
import { SequenceHistory } from "./sequence-history.ts";
import { VERSION } from "./version.ts";

/** The values of the command line. */
export interface MeasureOptions extends MeasurementOptions, ReportingOptions {
  readonly bits: boolean;
  readonly conf: string;
  readonly serverPort: HostPort | undefined;
  readonly testThroughput: boolean;
  readonly testJitter: boolean;
  readonly top: number;
  readonly metricFlows: number;
  readonly metrics: HostPort | undefined;
  readonly healthFile: string | undefined;
  readonly logLevel: LogLevel;
  readonly format: "text" | "jsonl";
  readonly order: "first" | "last";
}

/** How long the last reports may take at an orderly end. */
const FLUSH_MS = 5000;
/** An identity's interface has at most so many characters. */
const MAX_INTERFACE = 64;
const SERVER_PORT: HostPort = { host: "localhost", port: 8080 };

/**
 * Measures until `signal` is aborted. `given`: the names that were said on the command line or in the environment.
 *
 * @throws when it cannot, with a message of one line and an exit code
 */
export async function measure(options: MeasureOptions, given: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
  const logger = createLogger({ name: "flowmon", level: options.logLevel });
  const fileRequired = given.has("conf");
  let file = readConfigFile(options.conf, fileRequired);
  const measurement = measurementOf(options);
  const clock = systemClock();
  const identity = agentIdentity(
    { service: "flowmon", role: "observer", interface: interfaceOf(measurement), version: VERSION },
    options,
  );
  const history = new SequenceHistory(measurement.idleNs, measurement.tableSize * measurement.devices.length);
  let last: Interval | undefined;
  const gauges = () => {
    const since = (name: "TCP" | "UDP" | "ICMP") => history.total(name);
    const { bits, metricFlows } = options;
    return last ? gaugeMetrics(last, { bits, loss: measurement.loss, maxFlows: metricFlows, since }) : [];
  };
  const counted = { intervals: 0n, counted_packets: 0n };
  const telemetry = new Telemetry(identity, () => counted, gauges);
  await using stack = new AsyncDisposableStack();
  for (const device of measurement.devices) telemetry.watch(device);
  stack.use(await telemetry.serve(options.metrics, options.healthFile));
  const server = new GaugeServer(telemetry);
  stack.use(server);
  await server.listen(options.serverPort ?? (file.monitorServer ? SERVER_PORT : undefined));
  const meters = await openMeters(measurement, options, file, stack);
  const printer = openPrinter(options, measurement, file, history);
  let agent: Agent | undefined;
  const counters = () => ({ ...sumCounters(meters), unseen: agent?.unseen ?? 0n });
  const publisher = openAgentPublisher({ identity, reporting: options, clock, counters, logger });
  const reports = new IntervalPublisher(publisher);
  agent = new Agent({
    meters,
    clock,
    logger,
    intervals: measurement.intervals,
    idleNs: measurement.idleNs,
    onInterval: (interval) => {
      history.add(interval);
      last = interval;
      counted.intervals++;
      counted.counted_packets += packetsOf(interval);
      printer.interval(interval);
      if (options.report.length > 0) reports.publish(interval);
    },
    onJitter: (interval) => printer.jitter(interval),
  });
  const reload = () => {
    try {
      file = readConfigFile(options.conf, fileRequired);
    } catch (error) {
      return logger.error("config file refused; the earlier one holds", { error: errorLine(error) });
    }
    for (const meter of meters) meter.setConfigFile(file);
    printer.setDisplay(file.display);
    const listen = options.serverPort ?? (file.monitorServer ? SERVER_PORT : undefined);
    server.listen(listen).catch((error: unknown) => logger.error("gauges", { error: errorLine(error) }));
    logger.info("config file read again", { file: options.conf, rules: file.rules.length });
  };
  process.on("SIGHUP", reload);
  stack.defer(() => void process.off("SIGHUP", reload));
  telemetry.follow(publisher, counters);
  try {
    await agent.run(signal, () => {
      sayMeasuring(logger, measurement, meters);
      sayReady();
    });
  } finally {
    telemetry.end();
    await publisher.flush({ deadlineMs: FLUSH_MS });
    await publisher.close();
  }
}

/** The web server of the gauges, which a new config file may turn on or off. */
class GaugeServer implements AsyncDisposable {
  readonly #telemetry: Telemetry;
  #running: { readonly at: HostPort; readonly close: () => Promise<void> } | undefined;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  /** Listens there and nowhere else; undefined: nowhere. @throws AgentError */
  async listen(at: HostPort | undefined): Promise<void> {
    const { host, port } = this.#running?.at ?? {};
    if (host === at?.host && port === at?.port) return;
    await this.#running?.close();
    this.#running = undefined;
    if (!at) return;
    const collect = () => this.#telemetry.collect();
    const server = await startMetricsServer({ listen: at, health: this.#telemetry.health, collect });
    this.#running = { at, close: () => server.close() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.close();
  }
}

async function openMeters(
  measurement: Measurement,
  options: MeasureOptions,
  file: ConfigFile,
  stack: AsyncDisposableStack,
): Promise<Meter[]> {
  const meters: Meter[] = [];
  for (const device of measurement.devices) {
    const meter = new Meter({ ...measurement, device, gaps: true, bursts: true, order: options.order, file });
    stack.use(meter);
    meters.push(meter);
    const taken = `a flowmon runs on ${device} already; one is enough`;
    stack.use(await lockInstance({ service: "flowmon", role: "observer", ifindex: meter.ifindex, taken }));
  }
  return meters;
}

function openPrinter(
  { format, bits, top, testThroughput, testJitter }: MeasureOptions,
  { loss, intervals }: Measurement,
  file: ConfigFile,
  history: SequenceHistory,
): Printer {
  const live = process.stdout.isTTY === true && format === "text";
  const ownJitter = intervals.jitterNs > 0n;
  const write = (text: string) => void process.stdout.write(text);
  const options = { format, bits, loss, top, ownJitter, testThroughput, testJitter, live };
  return new Printer(options, file.display, history, write);
}

function packetsOf({ totals }: Interval): bigint {
  return totals.TCP.packets + totals.UDP.packets + totals.ICMP.packets;
}

function sumCounters(meters: readonly Meter[]): Record<string, bigint> {
  const sums: Record<string, bigint> = {};
  for (const meter of meters) {
    for (const [name, count] of Object.entries(meter.counters())) sums[name] = (sums[name] ?? 0n) + count;
  }
  return sums;
}

function sayMeasuring(logger: Logger, { intervals, loss }: Measurement, meters: readonly Meter[]): void {
  logger.info("measuring", {
    interfaces: meters.map(({ device }) => device),
    hook: meters[0]?.hook ?? "none",
    interval_s: Number(intervals.throughputNs) / 1e9,
    loss,
  });
}

function interfaceOf({ devices }: Measurement): string {
  const all = devices.join(",");
  return all.length <= MAX_INTERFACE ? all : `${devices[0]} and ${devices.length - 1} more`;
}
