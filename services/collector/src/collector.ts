import { createLogger, errorLine, formatHostPort, Health, keepHealthFile, type Logger } from "@waymark/agent";
import { listenApi } from "./api/api-server.ts";
import { isClickHouse } from "./cli.ts";
import { StoreClock, systemNowNs } from "./clock.ts";
import { Closers } from "./closers.ts";
import type { Config } from "./config.ts";
import { HintLog } from "./hint-log.ts";
import { listenGrpc } from "./ingest/grpc.ts";
import { Ingest } from "./ingest/ingest.ts";
import { NatsIngest } from "./ingest/nats.ts";
import { LossFeed } from "./loss-feed.ts";
import { LossPrinter, type Output } from "./loss-printer.ts";
import { createMetrics, type MetricsServer, serveMetrics } from "./metrics.ts";
import { openChdb } from "./store/chdb.ts";
import { openClickHouse } from "./store/clickhouse.ts";
import { prepareSchema } from "./store/schema.ts";
import type { Store } from "./store/store.ts";
import { SurplusWatch } from "./surplus-watch.ts";

const NS_PER_S = 1_000_000_000n;

/** A running collector. */
export interface Collector {
  readonly grpcPort: number;
  readonly apiPort: number;
  readonly metricsPort: number | undefined;
  /** Takes no more reports, stores and acknowledges what is under way, prints what that decides, and stops. */
  close(): Promise<void>;
}

/**
 * Starts a collector. What was started is stopped again when something fails.
 *
 * @throws StoreError when the store cannot be opened, Error when a port cannot be had
 */
export async function startCollector(
  config: Config,
  output: Output,
  log: Logger = createLogger({ name: "collector", level: config.logLevel }),
): Promise<Collector> {
  const closers = new Closers();
  try {
    return await start(config, output, log, closers);
  } catch (error) {
    await closers.close().catch((failure: unknown) => log.error("not stopped cleanly", { error: errorLine(failure) }));
    throw error;
  }
}

async function start(config: Config, output: Output, log: Logger, closers: Closers): Promise<Collector> {
  const store = await openStore(config.store);
  closers.add(() => store.close());
  await prepareSchema(store, config.retentionS);
  const clock = new StoreClock(systemNowNs);
  const feed = new LossFeed(store, clock, log);
  closers.add(() => feed.close());
  const surplus = new SurplusWatch(log);
  const ingest = new Ingest({
    store,
    clock,
    nowNs: systemNowNs,
    log,
    onStored: (stored) => feed.touched(stored),
    onReport: (report) => surplus.heard(report),
  });
  closers.add(() => ingest.close());
  feed.subscribe(new HintLog(log).listener);
  feed.subscribe(surplus.listener);
  if (config.print) feed.subscribe((await LossPrinter.create(store, clock, output)).listener);
  // After those who are to hear what was decided while no collector ran.
  await feed.start();
  const healthy = () => !ingest.batcher.failing;
  const retentionNs = BigInt(config.retentionS) * NS_PER_S;
  const api = await listenApi({ listen: config.listen, store, clock, feed, log, retentionNs, healthy });
  closers.add(() => api.close());
  const grpc = await listenGrpc(config.grpcPort, ingest, systemNowNs, log);
  closers.add(() => grpc.close());
  const metrics = await listenMetrics(config, feed, ingest, healthy, () => grpc.refusedStreams);
  closers.add(() => metrics?.close());
  const nats = config.nats.length > 0 ? new NatsIngest(config.nats, ingest, log) : undefined;
  closers.add(() => nats?.close());
  nats?.start();
  // First the inputs fall silent and what is under way is stored and acknowledged, then they close.
  closers.add(async () => {
    grpc.pause();
    await nats?.pause();
    await ingest.close();
  });
  if (config.healthFile !== undefined) {
    const file = keepHealthFile(config.healthFile, healthOf(healthy, nats));
    closers.add(async () => file[Symbol.dispose]());
  }
  const url = `http://${formatHostPort({ host: config.listen.host, port: api.port })}`;
  log.info("collector runs", { grpc_port: grpc.port, api: url, store: store.location, nats: config.nats });
  return {
    grpcPort: grpc.port,
    apiPort: api.port,
    metricsPort: metrics?.port,
    close: () => closers.close(),
  };
}

/** Healthy while reports reach the store; without a broker some agents' reports wait elsewhere. */
function healthOf(storing: () => boolean, nats: NatsIngest | undefined): Health {
  const health = new Health();
  health.setMeasuring(true);
  health.addCheck(() => (storing() ? undefined : "the store fails"));
  health.addCheck(() => (nats === undefined || nats.connected ? undefined : "nats is not connected"));
  return health;
}

async function openStore(place: string): Promise<Store> {
  return isClickHouse(place) ? openClickHouse(new URL(place)) : openChdb(place);
}

async function listenMetrics(
  config: Config,
  feed: LossFeed,
  ingest: Ingest,
  healthy: () => boolean,
  refusedStreams: () => number,
): Promise<MetricsServer | undefined> {
  if (config.metrics === undefined) return undefined;
  const registry = createMetrics({ ingest: ingest.stats, batcher: ingest.batcher, feed, healthy, refusedStreams });
  return serveMetrics(config.metrics, registry, healthy);
}
