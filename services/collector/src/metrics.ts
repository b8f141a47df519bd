import { createServer } from "node:http";
import type { HostPort } from "@waymark/agent";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Batcher } from "./ingest/batcher.ts";
import type { IngestStats } from "./ingest/ingest.ts";
import type { LossFeed } from "./loss-feed.ts";
import { verdictName } from "./verdict.ts";

/** What the metrics are read from. */
export interface MetricSources {
  readonly ingest: IngestStats;
  readonly batcher: Batcher;
  readonly feed: LossFeed;
  readonly healthy: () => boolean;
  readonly refusedStreams: () => number;
}

/** The collector's own Prometheus metrics. */
export function createMetrics({ ingest, batcher, feed, healthy, refusedStreams }: MetricSources): Registry {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name: `waymark_collector_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  counter("reports_stored_total", "Reports stored", () => ingest.stored);
  counter("reports_duplicate_total", "Reports that were stored already", () => ingest.duplicates);
  counter("rows_inserted_total", "Rows inserted", () => batcher.stats.insertedRows);
  counter("inserts_total", "Inserts that worked", () => batcher.stats.inserts);
  counter("inserts_failed_total", "Inserts that failed and were repeated", () => batcher.stats.failedInserts);
  counter("blocks_forgotten_total", "Blocks not told of because too many were open", () => feed.dropped);
  counter("streams_refused_total", "Streams of agents refused because there were too many", refusedStreams);
  new Counter({
    name: "waymark_collector_reports_refused_total",
    help: "Reports refused, by reason",
    labelNames: ["reason"],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of ingest.refused) this.inc({ reason }, count);
    },
  });
  countKinds(registry, "kind_reports_stored_total", "Reports stored, by kind", () =>
    [...ingest.kinds].map(([kind, { reports }]) => [kind, reports]),
  );
  countKinds(registry, "kind_rows_stored_total", "Rows of the reports stored, by kind", () =>
    [...ingest.kinds].map(([kind, { rows }]) => [kind, rows]),
  );
  const decided = new Counter({
    name: "waymark_collector_blocks_decided_total",
    help: "Flows of blocks that left PENDING or changed, by verdict",
    labelNames: ["verdict"],
    registers,
  });
  feed.subscribe((changes) => {
    for (const { row } of changes) decided.inc({ verdict: verdictName(row.verdict) });
  });
  gauge(registry, "waiting_bytes", "Rows that wait for their insert", () => batcher.waitingSize);
  gauge(registry, "healthy", "1 while the store takes rows", () => (healthy() ? 1 : 0));
  collectDefaultMetrics({ register: registry });
  return registry;
}

function countKinds(
  registry: Registry,
  name: string,
  help: string,
  read: () => readonly (readonly [kind: string, count: number])[],
): void {
  new Counter({
    name: `waymark_collector_${name}`,
    help,
    labelNames: ["kind"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [kind, count] of read()) this.inc({ kind }, count);
    },
  });
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name: `waymark_collector_${name}`,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** Serves `/metrics` and `/healthz`. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws Error with `code` EADDRINUSE or EACCES when the port cannot be had */
export async function serveMetrics(
  { host, port }: HostPort,
  registry: Registry,
  healthy: () => boolean,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const send = (code: number, type: string, body: string) =>
      response.writeHead(code, { "content-type": type }).end(body);
    if (request.url === "/healthz") {
      send(healthy() ? 200 : 503, "text/plain", healthy() ? "ok\n" : "the store fails\n");
      return;
    }
    if (request.url !== "/metrics") {
      send(404, "text/plain", "not found\n");
      return;
    }
    registry.metrics().then(
      (text) => send(200, registry.contentType, text),
      () => send(500, "text/plain", "metrics failed\n"),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
