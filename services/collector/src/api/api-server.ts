import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { HostPort, Logger } from "@waymark/agent";
import { QueryService } from "@waymark/proto/query";
import type { StoreClock } from "../clock.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { file_grpc_reflection_v1_reflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { file_grpc_reflection_v1alpha_reflection } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { LossFeed } from "../loss-feed.ts";
import type { Store } from "../store/store.ts";
import { healthService } from "./health.ts";
import { type HttpPort, listenHttp } from "./port-mux.ts";
import { queryService } from "./query-service.ts";
import { addReflection } from "./reflection.ts";

/** Requests larger than this are refused, in bytes. */
const MAX_REQUEST_BYTES = 1 << 20;

/** What the API answers from. */
export interface ApiOptions {
  readonly listen: HostPort;
  readonly store: Store;
  readonly clock: StoreClock;
  readonly feed: LossFeed;
  readonly log: Logger;
  readonly retentionNs: bigint;
  readonly healthy: () => boolean;
}

/** The query API with health and reflection: Connect, gRPC and gRPC-Web on one port. */
export async function listenApi(options: ApiOptions): Promise<HttpPort> {
  const shutdown = new AbortController();
  const handler = connectNodeAdapter({
    readMaxBytes: MAX_REQUEST_BYTES,
    shutdownSignal: shutdown.signal,
    routes: (router: ConnectRouter) => {
      router.service(QueryService, queryService(options));
      router.service(Health, healthService(options.healthy));
      addReflection(router, [
        ...[QueryService.file, Health.file],
        ...[file_grpc_reflection_v1_reflection, file_grpc_reflection_v1alpha_reflection],
      ]);
    },
  });
  const port = await listenHttp(options.listen.host, options.listen.port, handler);
  return {
    port: port.port,
    close: async () => {
      shutdown.abort();
      await port.close();
    },
  };
}
