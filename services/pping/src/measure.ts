import { existsSync } from "node:fs";
import { createLogger, type HostPort, type Logger, type LogLevel } from "@waymark/agent";
import { BpfError, defaultRouteInterface, interfaceInfo } from "@waymark/bpf-runtime";
import {
  agentIdentity,
  checkInterface,
  lockInstance,
  openAgentPublisher,
  systemClock,
  Telemetry,
  type WallClock,
} from "@waymark/probe";
import { type Measurement, type MeasurementOptions, measurementOf } from "./config.ts";
import { eventFormat, type FormatName } from "./event-format.ts";
import { Observer } from "./observer.ts";
import { fileOutput, type Output, silentOutput, streamOutput, type TextStream } from "./output.ts";
import { Session } from "./session.ts";
import { VERSION } from "./version.ts";

/** The values of the command line. */
export interface MeasureOptions extends MeasurementOptions {
  readonly interface: string | undefined;
  readonly report: readonly string[];
  readonly agentId: string | undefined;
  readonly spool: string | undefined;
  readonly logLevel: LogLevel;
  readonly trustClock: boolean;
  readonly order: "first" | "last";
  readonly metrics: HostPort | undefined;
  readonly healthFile: string | undefined;
  readonly write: string | undefined;
  readonly seedFormat: boolean;
  readonly quiet: boolean;
  readonly wait: boolean;
  readonly force: boolean;
}

/** What `measure` takes from its surroundings. */
export interface Surroundings {
  readonly clock: WallClock;
  readonly stdout: TextStream;
  /** Calls back when the output is to be opened anew (SIGHUP); answers how to stop that. */
  readonly onReopen: (reopen: () => void) => () => void;
}

/** How long the last reports may take at an orderly end. */
const FLUSH_MS = 5000;
/** How often an interface that is waited for is looked for. */
const WAIT_MS = 200;

/** Measures until `signal` is aborted. @throws when it cannot, with a message of one line and an exit code */
export async function measure(
  options: MeasureOptions,
  signal: AbortSignal,
  surroundings: Omit<Surroundings, "clock"> & Partial<Surroundings>,
): Promise<void> {
  const { clock = systemClock(), stdout, onReopen } = surroundings;
  const logger = createLogger({ name: "pping", level: options.logLevel });
  const measurement = measurementOf(options);
  warn(options, measurement, logger);
  const device = options.interface ?? defaultRouteInterface();
  const output = openOutput(options, measurement.format, stdout, logger);
  let current: Session | undefined;
  const stopReopening = onReopen(() => reopen(output, current, logger));
  const setCurrent = (session: Session) => {
    current = session;
  };
  try {
    for (;;) {
      if (options.wait) await untilThere(device, signal, logger);
      if (signal.aborted) return;
      try {
        return await observe({ device, measurement, options, clock, output, logger, setCurrent }, signal);
      } catch (error) {
        if (!options.wait || isThere(device)) throw error;
        logger.warn("the interface disappeared", { interface: device });
      }
    }
  } finally {
    stopReopening();
    output.close();
  }
}

interface Stay {
  readonly device: string;
  readonly measurement: Measurement;
  readonly options: MeasureOptions;
  readonly clock: WallClock;
  readonly output: Output;
  readonly logger: Logger;
  readonly setCurrent: (session: Session) => void;
}

/** One stay on the interface. */
async function observe(stay: Stay, signal: AbortSignal): Promise<void> {
  const { device, measurement, options, clock, output, logger } = stay;
  const { ifindex } = interfaceInfo(device);
  const isReporting = options.report.length > 0;
  const taken = `a pping that reports runs on ${device} already; start this one without --report, or end the other`;
  const lock = { service: "pping", role: "observer", ifindex, taken };
  await using _lock = isReporting ? await lockInstance(lock) : undefined;
  const identity = agentIdentity({ service: "pping", role: "observer", interface: device, version: VERSION }, options);
  const telemetry = new Telemetry(identity);
  telemetry.watch(device);
  await using _server = await telemetry.serve(options.metrics, options.healthFile);
  using observer = new Observer({ measurement, device, order: options.order });
  tell(observer, device, measurement, logger);
  let counters = () => observer.counters();
  const publisher = openAgentPublisher({ identity, reporting: options, clock, counters: () => counters(), logger });
  const format = eventFormat(measurement.format, options.seedFormat);
  const session = new Session({
    measurement,
    observer,
    clock,
    logger,
    format,
    output,
    publisher,
    isReporting,
    checkInterface: () => checkInterface(device, ifindex),
  });
  counters = () => session.counters();
  telemetry.follow(publisher, () => session.counters());
  stay.setCurrent(session);
  try {
    await session.run(signal);
  } finally {
    telemetry.end();
    await publisher.flush({ deadlineMs: FLUSH_MS });
    await publisher.close();
  }
}

function reopen(output: Output, session: Session | undefined, logger: Logger): void {
  try {
    if (output.reopen()) session?.announce();
  } catch (error) {
    logger.warn("the output stays where it was", { error: (error as Error).message });
  }
}

function openOutput(options: MeasureOptions, format: FormatName, stdout: TextStream, logger: Logger): Output {
  if (options.write !== undefined) {
    return fileOutput(options.write, format, (error) => logger.error("output not written", { error }));
  }
  return options.quiet ? silentOutput() : streamOutput(stdout, format);
}

function warn(options: MeasureOptions, { methods }: Measurement, logger: Logger): void {
  if (options.force) logger.warn("--force has no effect");
  const { icmp, dns, quic } = methods;
  if (options.format === "ppviz" && (icmp || dns || quic)) {
    logger.warn("ppviz tells no protocol: ICMP, DNS and QUIC look like TCP there");
  }
}

function tell(observer: Observer, device: string, measurement: Measurement, logger: Logger): void {
  const { egress, ingress } = observer.hooks;
  logger.info("measuring", {
    interface: device,
    egress,
    ingress,
    methods: Object.entries(measurement.methods)
      .filter(([, on]) => on)
      .map(([name]) => name),
    kernel_memory_mib: Math.round(observer.memoryBytes() / 2 ** 20),
  });
  if (ingress === "xdp-generic") {
    logger.warn("XDP runs in generic mode: slower than tc, and super-packets count as one packet");
  }
  // A card has a bus address there.
  if (ingress === "xdp-native" && !existsSync(`/sys/class/net/${device}/device`)) {
    logger.warn("native XDP on a veth switches offloads: its GRO on, and its peer's TSO off while it is attached");
  }
}

async function untilThere(device: string, signal: AbortSignal, logger: Logger): Promise<void> {
  if (isThere(device)) return;
  logger.info("waiting for the interface", { interface: device });
  while (!signal.aborted && !isThere(device)) {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, WAIT_MS);
      signal.addEventListener("abort", done);
    });
  }
}

function isThere(device: string): boolean {
  try {
    interfaceInfo(device);
    return true;
  } catch (error) {
    if (error instanceof BpfError && error.code === "BPF_NO_INTERFACE") return false;
    throw error;
  }
}
