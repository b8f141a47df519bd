import type { AgentIdentity } from "./identity.ts";
import type { PublisherStats, TargetStats } from "./publisher/publisher-api.ts";

/** One value of a metric. */
export interface MetricSample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number | bigint;
}

/** One Prometheus metric; the name has its base unit, and `_total` if it is a counter. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: readonly MetricSample[];
}

/** The counters that an agent reports, as `waymark_<service>_<name>_total`. */
export function counterMetrics(
  { service, role, interface: device }: AgentIdentity,
  counters: Readonly<Record<string, bigint>>,
): Metric[] {
  return Object.entries(counters).map(([name, value]) => ({
    name: metricName(`waymark_${service}_${name}_total`),
    help: `Counter ${name} of the agent's reports, since its start.`,
    type: "counter",
    samples: [{ labels: { role, interface: device }, value }],
  }));
}

type Numeric = { [K in keyof TargetStats]: TargetStats[K] extends number ? K : never }[keyof TargetStats];

const TARGET_METRICS: readonly (readonly [Numeric, Metric["type"], string, string])[] = [
  ["published", "counter", "reports_published_total", "Reports handed over for this target."],
  ["recovered", "counter", "reports_recovered_total", "Reports of earlier processes found in the spool."],
  ["acknowledged", "counter", "reports_acknowledged_total", "Reports that the target has stored."],
  ["refused", "counter", "reports_refused_total", "Reports that the target will never take."],
  ["dropped", "counter", "reports_dropped_total", "Reports given up for want of room."],
  ["spooled", "counter", "reports_spooled_total", "Reports written to the spool."],
  ["spoolErrors", "counter", "spool_errors_total", "Reports that could not be written to the spool."],
  ["reconnects", "counter", "reconnects_total", "Connections after the first one."],
  ["pending", "gauge", "reports_pending", "Reports neither acknowledged nor given up."],
  ["spoolBytes", "gauge", "spool_bytes", "Bytes that spool files take."],
];

/** The state of a publisher's targets, as `waymark_agent_…{target="nats://…"}`. */
export function publisherMetrics({ targets }: PublisherStats): Metric[] {
  const metrics: Metric[] = TARGET_METRICS.map(([field, type, name, help]) => ({
    name: `waymark_agent_${name}`,
    help,
    type,
    samples: targets.map((stats) => ({ labels: { target: stats.target }, value: stats[field] })),
  }));
  const connected = targets.map(({ target, connected }) => ({ labels: { target }, value: connected ? 1 : 0 }));
  const help = "Whether there is a connection to the target.";
  return [...metrics, { name: "waymark_agent_connected", help, type: "gauge", samples: connected }];
}

/** Characters that a Prometheus name cannot hold become `_`. */
function metricName(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_:]/g, "_");
}
