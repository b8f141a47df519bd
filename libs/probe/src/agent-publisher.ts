import {
  type AgentIdentity,
  createPublisher,
  type Endpoint,
  hostIdentity,
  type Logger,
  newBootId,
  type Publisher,
  type PublisherLimits,
} from "@waymark/agent";
import type { Counters } from "./telemetry.ts";
import type { WallClock } from "./wall-clock.ts";

/** The options of a command line that say who reports where. */
export interface ReportingOptions {
  /** nats://HOST:4222, grpc://HOST:PORT */
  readonly report: readonly string[];
  readonly agentId: string | undefined;
  readonly spool: string | undefined;
  readonly trustClock: boolean;
}

/** Who reports: an agent is (id, service, role, interface). */
export function agentIdentity(
  who: Pick<AgentIdentity, "service" | "role" | "interface" | "version">,
  { agentId }: Pick<ReportingOptions, "agentId">,
): AgentIdentity {
  const host = hostIdentity();
  return { ...who, id: agentId ?? host.agentId, host: host.host };
}

/** What a publisher of an agent needs. */
export interface AgentPublisherOptions {
  readonly identity: AgentIdentity;
  readonly reporting: ReportingOptions;
  readonly clock: Pick<WallClock, "nowNs" | "health" | "kernelBootId">;
  /** Cumulative; they travel with every report. */
  readonly counters: () => Counters;
  readonly logger: Logger;
  readonly limits?: PublisherLimits;
  /** Where the report connections go, so that a service can leave its own traffic out. */
  readonly onEndpointsChange?: (endpoints: readonly Endpoint[]) => void;
}

/** A publisher under a boot id of its own whose reports say how good the kernel's clock is. */
export function openAgentPublisher(options: AgentPublisherOptions): Publisher {
  const { identity, reporting, clock, counters, logger, limits, onEndpointsChange } = options;
  return createPublisher({
    targets: reporting.report,
    identity,
    bootId: newBootId(),
    kernelBootId: clock.kernelBootId,
    clock: () => {
      const { synchronised, maxErrorNs, estimatedErrorNs, taiOffsetS } = clock.health();
      return { synchronised, maxErrorNs, estimatedErrorNs, taiOffsetS, trusted: reporting.trustClock };
    },
    nowNs: () => clock.nowNs(),
    counters,
    ...(reporting.spool !== undefined && { spoolDir: reporting.spool }),
    logger,
    ...(limits && { limits }),
    ...(onEndpointsChange && { onEndpointsChange }),
  });
}
