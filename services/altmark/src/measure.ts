import {
  type AgentIdentity,
  createLogger,
  formatHostPort,
  type HostPort,
  type Logger,
  type LogLevel,
  type Publisher,
} from "@waymark/agent";
import { defaultRouteInterface, interfaceInfo } from "@waymark/bpf-runtime";
import { parseAddress } from "@waymark/packet";
import {
  agentIdentity,
  type Counters,
  checkInterface,
  lockInstance,
  openAgentPublisher,
  systemClock,
  Telemetry,
  type WallClock,
} from "@waymark/probe";
import { runAgent } from "./agent.ts";
import { type Block, blockPackets, type Role } from "./block.ts";
import { type Measurement, type MeasurementOptions, measurementOf } from "./config.ts";
import { Meter } from "./meter.ts";
import { addToTotals, jsonLine, textLine } from "./report.ts";
import { VERSION } from "./version.ts";

/** The values of the command line. */
export interface MeasureOptions extends MeasurementOptions {
  readonly interface: string | undefined;
  readonly collector: string | undefined;
  readonly port: number | undefined;
  readonly report: readonly string[];
  readonly agentId: string | undefined;
  readonly spool: string | undefined;
  readonly logLevel: LogLevel;
  readonly format: "text" | "jsonl";
  readonly trustClock: boolean;
  readonly order: "first" | "last";
  readonly debug: boolean;
  readonly metrics: HostPort | undefined;
  readonly healthFile: string | undefined;
}

/** What `measureWith` takes from its surroundings. */
export interface Surroundings {
  readonly clock: WallClock;
  readonly print: (line: string) => void;
}

/** Measures until `signal` is aborted. @throws when it cannot, with a message of one line and an exit code */
export function measure(role: Role, options: MeasureOptions, signal: AbortSignal): Promise<void> {
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  return measureWith(role, options, signal, { clock: systemClock(), print });
}

/** `measure` with a clock and an output of the caller's. */
export async function measureWith(
  role: Role,
  options: MeasureOptions,
  signal: AbortSignal,
  { clock, print }: Surroundings,
): Promise<void> {
  const logger = createLogger({ name: "altmark", level: options.debug ? "debug" : options.logLevel });
  const measurement = measurementOf(role, options);
  const device = options.interface ?? defaultRouteInterface();
  const { ifindex } = interfaceInfo(device);
  // Two sources would take each other's marks for somebody's DSCP, two sinks would take each other's packets.
  const taken = `an altmark ${role} runs on ${device} already; measure several paths there with one process (--path A --path B, each with its --flow)`;
  await using _lock = await lockInstance({ service: "altmark", role, ifindex, taken });
  const identity = agentIdentity({ service: "altmark", role, interface: device, version: VERSION }, options);
  const counted = { blocks: 0n, counted_packets: 0n };
  const telemetry = new Telemetry(identity, () => counted);
  telemetry.watch(device);
  await using _server = await telemetry.serve(options.metrics, options.healthFile);
  const printBlock = printer(role, options.format, measurement, print);
  await runAgent(
    {
      measurement,
      clock,
      logger,
      openMeter: () => openMeter(measurement, device, options, clock, logger),
      openPublisher: (meter, unseenPackets) => {
        const counters = () => ({ ...meter.reasons(), unseen: unseenPackets() });
        const publisher = openPublisher(meter, identity, options, clock, logger, counters);
        telemetry.follow(publisher, counters);
        return publisher;
      },
      onBlock: (block) => {
        counted.blocks++;
        counted.counted_packets += blockPackets(block);
        printBlock(block);
      },
      onDetached: () => telemetry.end(),
      checkInterface: () => checkInterface(device, ifindex),
    },
    signal,
  );
}

function openMeter(
  measurement: Measurement,
  device: string,
  { order }: MeasureOptions,
  clock: WallClock,
  logger: Logger,
): Meter {
  const meter = new Meter({ measurement, device, clock, order });
  logger.info("measuring", {
    role: measurement.role,
    interface: device,
    hook: meter.hook,
    paths: measurement.paths,
    interval_s: Number(measurement.intervalNs) / 1e9,
    guard_ms: Number(measurement.guardNs) / 1e6,
  });
  return meter;
}

function openPublisher(
  meter: Meter,
  identity: AgentIdentity,
  options: MeasureOptions,
  clock: WallClock,
  logger: Logger,
  counters: () => Counters,
): Publisher {
  const { collector, port } = options;
  const direct = collector && port ? [`grpc://${formatHostPort({ host: collector, port })}`] : [];
  return openAgentPublisher({
    identity,
    reporting: { ...options, report: [...direct, ...options.report] },
    clock,
    counters,
    logger,
    onEndpointsChange: (endpoints) =>
      meter.setOwnReports(
        endpoints.flatMap(({ address, port }) => {
          const octets = parseAddress(address);
          return octets ? [{ address: octets, port }] : [];
        }),
      ),
  });
}

function printer(role: Role, format: "text" | "jsonl", measurement: Measurement, print: (line: string) => void) {
  const totals = new Map(measurement.paths.map((path) => [path, { count0: 0n, count1: 0n }]));
  return (block: Block) => {
    if (format === "jsonl") return print(jsonLine(role, block));
    const sum = addToTotals(totals.get(block.path) ?? { count0: 0n, count1: 0n }, block);
    totals.set(block.path, sum);
    print(textLine(block, sum, measurement.paths.length > 1));
  };
}
