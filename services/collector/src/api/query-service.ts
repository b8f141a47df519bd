import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Logger } from "@waymark/agent";
import {
  ListAgentsResponseSchema,
  type ListLossRequest,
  ListLossResponseSchema,
  ListPathsResponseSchema,
  type QueryService,
  type WatchLossRequest,
  WatchLossResponseSchema,
} from "@waymark/proto/query";
import type { StoreClock } from "../clock.ts";
import type { LossFeed } from "../loss-feed.ts";
import { listAgents } from "../store/agent-query.ts";
import { type LossCursor, type LossFilter, listLoss } from "../store/loss-query.ts";
import { listPaths } from "../store/path-query.ts";
import type { Store } from "../store/store.ts";
import { agentMessage } from "./agent-message.ts";
import { answer } from "./answer.ts";
import { delayService } from "./delay-service.ts";
import { checkFilters, timeRange } from "./filters.ts";
import { flowService } from "./flow-service.ts";
import { lossBlockOf } from "./messages.ts";
import { pageSize, readPageToken, tokenInteger, writePageToken } from "./page-token.ts";
import { pathMessage } from "./path-message.ts";
import { watchLoss } from "./watch-loss.ts";

const USUAL_BLOCKS = 1000;
const MAX_BLOCKS = 10_000;
const USUAL_AGENTS = 100;
const MAX_AGENTS = 1000;

/** The questions that the collector answers, all of them out of the store. */
export function queryService(options: {
  readonly store: Store;
  readonly clock: StoreClock;
  readonly feed: LossFeed;
  readonly log: Logger;
  /** How long rows are kept, in ns. */
  readonly retentionNs: bigint;
}): ServiceImpl<typeof QueryService> {
  const { store, clock, feed, log, retentionNs } = options;
  return {
    listAgents: (request) =>
      answer(log, async () => {
        checkFilters(request.agent);
        const question = ["agents", request.agent];
        const size = pageSize(request.pageSize, USUAL_AGENTS, MAX_AGENTS);
        const after = readPageToken(request.pageToken, question, 4);
        const { items, next } = await listAgents(store, keptFromNs(clock, retentionNs), request.agent, size, after);
        const nextPageToken = next === undefined ? "" : writePageToken(question, next);
        return create(ListAgentsResponseSchema, { agents: items.map(agentMessage), nextPageToken });
      }),
    listPaths: (request) =>
      answer(log, async () => {
        checkFilters(request.path);
        const question = ["paths", request.path];
        const size = pageSize(request.pageSize, USUAL_AGENTS, MAX_AGENTS);
        const after = readPageToken(request.pageToken, question, 1)?.[0];
        const { items, next } = await listPaths(store, clock.readNs(), request.path, size, after);
        const nextPageToken = next === undefined ? "" : writePageToken(question, [next]);
        return create(ListPathsResponseSchema, { paths: items.map(pathMessage), nextPageToken });
      }),
    listLoss: (request) =>
      answer(log, async () => {
        const filter = lossFilter(request);
        const question = ["loss", ...Object.values(filter).map(String)];
        const size = pageSize(request.pageSize, USUAL_BLOCKS, MAX_BLOCKS);
        const after = lossCursor(readPageToken(request.pageToken, question, 4));
        const { rows, next } = await listLoss(store, clock.readNs(), filter, size, after);
        const nextPageToken = next === undefined ? "" : writePageToken(question, placeOf(next));
        return create(ListLossResponseSchema, { blocks: rows.map(lossBlockOf), nextPageToken });
      }),
    async *watchLoss(request: WatchLossRequest, context: HandlerContext) {
      checkFilters(request.path, request.flow, request.agent);
      for await (const row of watchLoss(feed, request, context.signal)) {
        yield create(WatchLossResponseSchema, { block: lossBlockOf(row) });
      }
    },
    ...flowService(options),
    ...delayService(options),
  };
}

// Whole days go, so the last one may be gone in part.
function keptFromNs(clock: StoreClock, retentionNs: bigint): bigint {
  const ns = clock.readNs() - retentionNs + 86_400_000_000_000n;
  return ns < 0n ? 0n : ns;
}

function lossFilter(request: ListLossRequest): LossFilter {
  const { path, flow, agent } = request;
  checkFilters(path, flow, agent);
  return { path, flow, agent, ...timeRange(request) };
}

function lossCursor(place: readonly string[] | undefined): LossCursor | undefined {
  if (place === undefined) return undefined;
  const [start, path = "", interval, flow = ""] = place;
  return { startNs: tokenInteger(start), path, intervalNs: tokenInteger(interval), flow };
}

function placeOf({ startNs, path, intervalNs, flow }: LossCursor): readonly string[] {
  return [startNs.toString(), path, intervalNs.toString(), flow];
}
