import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { QueryService } from "@waymark/proto/query";
import {
  type Health,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../gen/grpc/health/v1/health_pb.ts";

/** How often a watcher's status is looked at. */
const WATCH_MS = 1000;

/**
 * The standard health service. The empty name is the whole process.
 *
 * @param healthy whether reports are stored and questions answered at the moment
 */
export function healthService(healthy: () => boolean): ServiceImpl<typeof Health> {
  const known = new Set(["", QueryService.typeName]);
  const status = () => (healthy() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  return {
    check({ service }) {
      if (!known.has(service)) throw new ConnectError(`unknown service ${service.slice(0, 64)}`, Code.NotFound);
      return create(HealthCheckResponseSchema, { status: status() });
    },
    async *watch({ service }, { signal }) {
      let last: ServingStatus | undefined;
      while (!signal.aborted) {
        const now = known.has(service) ? status() : ServingStatus.SERVICE_UNKNOWN;
        if (now !== last) yield create(HealthCheckResponseSchema, { status: now });
        last = now;
        await pause(WATCH_MS, signal);
      }
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
