import { Health } from "./health.ts";
import { counterMetrics, type Metric, publisherMetrics } from "./metrics.ts";
import { type MetricsServer, startMetricsServer } from "./metrics-server.ts";

const identity = { id: "a", service: "altmark", role: "source", interface: "eth0", host: "h", version: "1" };

let server: MetricsServer;
let health: Health;
let metrics: Metric[];

beforeEach(async () => {
  health = new Health();
  metrics = [];
  server = await startMetricsServer({ listen: { host: "127.0.0.1", port: 0 }, health, collect: () => metrics });
});

afterEach(() => server.close());

function get(path: string, method = "GET"): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, { method });
}

test("health is 200 only while measuring and nothing is wrong", async () => {
  const before = await get("/healthz");
  expect([before.status, await before.json()]).toEqual([
    503,
    { healthy: false, measuring: false, reasons: ["not measuring"] },
  ]);
  health.setMeasuring(true);
  expect((await get("/healthz")).status).toBe(200);
  health.setProblem("interface eth0 is down", true);
  const after = await get("/healthz");
  expect([after.status, await after.json()]).toEqual([
    503,
    { healthy: false, measuring: true, reasons: ["interface eth0 is down"] },
  ]);
  health.setProblem("interface eth0 is down", false);
  expect((await get("/healthz")).status).toBe(200);
});

test("metrics are Prometheus text, read anew at every scrape", async () => {
  metrics = counterMetrics(identity, { no_match: 7n, "odd name": 1n });
  const first = await (await get("/metrics")).text();
  expect(first).toContain('waymark_altmark_no_match_total{role="source",interface="eth0"} 7\n');
  expect(first).toContain("# TYPE waymark_altmark_no_match_total counter");
  expect(first).toContain('waymark_altmark_odd_name_total{role="source",interface="eth0"} 1\n');
  expect(first).toContain("process_resident_memory_bytes");
  metrics = counterMetrics(identity, { no_match: 9n });
  expect(await (await get("/metrics")).text()).toContain('no_match_total{role="source",interface="eth0"} 9\n');
});

test("a publisher's targets are metrics", async () => {
  const target = {
    target: "nats://h:4222",
    connected: true,
    published: 9,
    recovered: 1,
    acknowledged: 5,
    refused: 2,
    dropped: 1,
    pending: 2,
    spooled: 0,
    spoolBytes: 64,
    spoolErrors: 0,
    reconnects: 3,
  };
  metrics = publisherMetrics({ published: 9, targets: [target] });
  const text = await (await get("/metrics")).text();
  for (const line of ["connected", "reports_pending", "reports_dropped_total", "spool_bytes", "reconnects_total"]) {
    expect(text).toMatch(new RegExp(`^waymark_agent_${line}\\{target="nats://h:4222"\\} \\d+$`, "m"));
  }
});

test("other paths and methods are refused; a failing collector is 500", async () => {
  expect((await get("/")).status).toBe(404);
  expect((await get("/metrics", "POST")).status).toBe(405);
  metrics = [...counterMetrics(identity, { a: 1n }), ...counterMetrics(identity, { a: 1n })];
  expect((await get("/metrics")).status).toBe(500);
});

test("a port that is taken is one line and exit code 1", async () => {
  const again = startMetricsServer({ listen: { host: "127.0.0.1", port: server.port }, health, collect: () => [] });
  await expect(again).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining("EADDRINUSE") });
});
