import type { Server, ServerResponse } from "node:http";
import type { HostPort } from "./command/result.ts";
import { AgentError, errorLine, exitCodeOf } from "./errors.ts";
import type { Health } from "./health.ts";
import type { Metric } from "./metrics.ts";

/** What the metrics server serves. */
export interface MetricsServerOptions {
  /** `--metrics`; port 0 takes a free one. */
  readonly listen: HostPort;
  readonly health: Health;
  /** Asked at every scrape. */
  readonly collect: () => readonly Metric[];
}

/** A running metrics server. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/metrics` (Prometheus text) and `/healthz` (200 healthy, 503 not; JSON with the reasons).
 * @throws AgentError when the address cannot be listened on (exit code 3 if that is not permitted, else 1)
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { listen } = options;
  // The HTTP server and prom-client cost some megabytes: only those who ask for metrics pay.
  const { createServer } = await import("node:http");
  const render = await loadRenderer(options.collect);
  const server = createServer({ requestTimeout: 5_000 }, (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") return answer(response, 405, "text/plain", "GET only\n");
    const path = request.url?.split("?", 1)[0];
    if (path === "/healthz") return answerHealth(response, options.health);
    if (path !== "/metrics") return answer(response, 404, "text/plain", "see /metrics and /healthz\n");
    render().then(
      ({ type, text }) => answer(response, 200, type, text),
      (error: unknown) => answer(response, 500, "text/plain", `${errorLine(error)}\n`),
    );
  });
  await startListening(server, listen);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : listen.port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function startListening(server: Server, { host, port }: HostPort): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => resolve());
    });
  } catch (error) {
    throw new AgentError(`--metrics: ${errorLine(error)}`, "WAYMARK_LISTEN", exitCodeOf(error), { cause: error });
  }
}

function answerHealth(response: ServerResponse, health: Health): void {
  const { state } = health;
  answer(response, state.healthy ? 200 : 503, "application/json", `${JSON.stringify(state)}\n`);
}

function answer(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { "content-type": type }).end(text);
}

async function loadRenderer(collect: () => readonly Metric[]) {
  const { collectDefaultMetrics, Counter, Gauge, Registry } = await import("prom-client");
  const own = new Registry();
  collectDefaultMetrics({ register: own });
  return async () => {
    const scrape = new Registry();
    for (const { name, help, type, samples } of collect()) {
      const labelNames = [...new Set(samples.flatMap(({ labels = {} }) => Object.keys(labels)))];
      const settings = { name, help, labelNames, registers: [scrape] };
      const metric = type === "counter" ? new Counter(settings) : new Gauge(settings);
      for (const { labels = {}, value } of samples) metric.inc(labels, Number(value));
    }
    const merged = Registry.merge([own, scrape]);
    return { type: merged.contentType, text: await merged.metrics() };
  };
}
