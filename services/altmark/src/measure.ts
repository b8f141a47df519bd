import {
  type AgentIdentity,
  createLogger,
  createPublisher,
  formatHostPort,
  type HostPort,
  hostIdentity,
  type Logger,
  type LogLevel,
  newBootId,
  type Publisher,
} from "@waymark/agent";
import { defaultRouteInterface, interfaceInfo } from "@waymark/bpf-runtime";
import { parseAddress } from "@waymark/packet";
import { runAgent } from "./agent.ts";
import type { Block, Role } from "./block.ts";
import { type Measurement, type MeasurementOptions, measurementOf } from "./config.ts";
import { lockInstance } from "./instance-lock.ts";
import { Meter } from "./meter.ts";
import { addToTotals, jsonLine, textLine } from "./report.ts";
import { Telemetry } from "./telemetry.ts";
import { VERSION } from "./version.ts";
import { systemClock, type WallClock } from "./wall-clock.ts";

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
  await using _lock = await lockInstance(role, ifindex, device);
  const identity = identityOf(role, device, options);
  const telemetry = new Telemetry(identity);
  await using _server = await telemetry.serve(options.metrics);
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
        telemetry.add(block);
        printBlock(block);
      },
      onDetached: () => telemetry.end(),
      checkInterface: () => checkInterface(device, ifindex),
    },
    signal,
  );
}

function identityOf(role: Role, device: string, options: MeasureOptions): AgentIdentity {
  const { host, agentId } = hostIdentity();
  return { id: options.agentId ?? agentId, service: "altmark", role, interface: device, host, version: VERSION };
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
  counters: () => Readonly<Record<string, bigint>>,
): Publisher {
  const { collector, port, report, spool, trustClock } = options;
  const direct = collector && port ? [`grpc://${formatHostPort({ host: collector, port })}`] : [];
  const own = (endpoints: readonly { readonly address: string; readonly port: number }[]) =>
    meter.setOwnReports(
      endpoints.flatMap(({ address, port }) => {
        const octets = parseAddress(address);
        return octets ? [{ address: octets, port }] : [];
      }),
    );
  return createPublisher({
    targets: [...direct, ...report],
    identity,
    bootId: newBootId(),
    kernelBootId: clock.kernelBootId,
    clock: () => {
      const health = clock.health();
      return {
        synchronised: health.synchronised,
        maxErrorNs: health.maxErrorNs,
        estimatedErrorNs: health.estimatedErrorNs,
        taiOffsetS: health.taiOffsetS,
        trusted: trustClock,
      };
    },
    nowNs: () => clock.nowNs(),
    counters,
    ...(spool !== undefined && { spoolDir: spool }),
    logger,
    onEndpointsChange: own,
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

function checkInterface(device: string, ifindex: number): void {
  if (interfaceInfo(device).ifindex !== ifindex) {
    throw new Error(`interface ${device} was replaced by another one of that name`);
  }
}
