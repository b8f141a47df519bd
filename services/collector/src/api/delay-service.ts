import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  ListDelayResponseSchema,
  ListDelaySamplesResponseSchema,
  ListFlowEventsResponseSchema,
  ListRoundTripsResponseSchema,
  ListRttResponseSchema,
  ListRttSamplesResponseSchema,
  type QueryService,
  RttSide,
} from "@waymark/proto/query";
import { listDelaySamples, listDelays } from "../store/delay-query.ts";
import { listFlowEvents, listRtt, listRttSamples, type RttFilter } from "../store/rtt-query.ts";
import { type AnswerSources, answer } from "./answer.ts";
import { delayMessage, delaySampleMessage, roundTripMessage, rttMessage, rttSampleMessage } from "./delay-message.ts";
import { checkFilters, type FlowRequest, flowFilter, sessionFilter, stepOf } from "./filters.ts";
import { flowEventMessage } from "./flow-message.ts";
import { pageSize } from "./page-token.ts";
import { questionOf, rowPlaceOf, rowToken, sumPlaceOf, sumToken } from "./places.ts";

const USUAL_SUMS = 100;
const MAX_SUMS = 1000;
const USUAL_ROWS = 1000;
const MAX_ROWS = 10_000;

type Methods = "listRtt" | "listRttSamples" | "listFlowEvents" | "listDelay" | "listRoundTrips" | "listDelaySamples";

/** Answers what pping and STAMP senders have reported. */
export function delayService({ store, clock, log }: AnswerSources): Pick<ServiceImpl<typeof QueryService>, Methods> {
  return {
    listRtt: (request) =>
      answer(log, async () => {
        const filter = rttFilter(request);
        checkFilters(request.prefix);
        const step = stepOf(request.step);
        const size = pageSize(request.pageSize, USUAL_SUMS, MAX_SUMS);
        const question = questionOf("rtt", filter, request.prefix, step);
        const place = sumPlaceOf(request.pageToken, question, clock);
        const page = await listRtt(store, filter, request.prefix, step, size, place);
        const nextPageToken = sumToken(page, question);
        return create(ListRttResponseSchema, { rtts: page.rows.map(rttMessage), nextPageToken });
      }),
    listRttSamples: (request) =>
      answer(log, async () => {
        const filter = rttFilter(request);
        const size = pageSize(request.pageSize, USUAL_ROWS, MAX_ROWS);
        const question = questionOf("rtt samples", filter);
        const page = await listRttSamples(store, filter, size, rowPlaceOf(request.pageToken, question));
        const nextPageToken = rowToken(page, question);
        return create(ListRttSamplesResponseSchema, { samples: page.rows.map(rttSampleMessage), nextPageToken });
      }),
    listFlowEvents: (request) =>
      answer(log, async () => {
        const filter = flowFilter(request);
        const size = pageSize(request.pageSize, USUAL_ROWS, MAX_ROWS);
        const question = questionOf("flow events", filter);
        const page = await listFlowEvents(store, filter, size, rowPlaceOf(request.pageToken, question));
        const nextPageToken = rowToken(page, question);
        return create(ListFlowEventsResponseSchema, { events: page.rows.map(flowEventMessage), nextPageToken });
      }),
    listDelay: (request) =>
      answer(log, async () => {
        const filter = sessionFilter(request);
        const step = stepOf(request.step);
        const size = pageSize(request.pageSize, USUAL_SUMS, MAX_SUMS);
        const question = questionOf("delay", filter, step);
        const place = sumPlaceOf(request.pageToken, question, clock);
        const page = await listDelays(store, filter, ["forward", "backward"], step, size, place);
        const nextPageToken = sumToken(page, question);
        return create(ListDelayResponseSchema, { delays: page.rows.map(delayMessage), nextPageToken });
      }),
    listRoundTrips: (request) =>
      answer(log, async () => {
        const filter = sessionFilter(request);
        const step = stepOf(request.step);
        const size = pageSize(request.pageSize, USUAL_SUMS, MAX_SUMS);
        const question = questionOf("round trips", filter, step);
        const place = sumPlaceOf(request.pageToken, question, clock);
        const page = await listDelays(store, filter, ["round_trip"], step, size, place);
        const nextPageToken = sumToken(page, question);
        return create(ListRoundTripsResponseSchema, { roundTrips: page.rows.map(roundTripMessage), nextPageToken });
      }),
    listDelaySamples: (request) =>
      answer(log, async () => {
        const filter = sessionFilter(request);
        const size = pageSize(request.pageSize, USUAL_ROWS, MAX_ROWS);
        const question = questionOf("delay samples", filter);
        const page = await listDelaySamples(store, filter, size, rowPlaceOf(request.pageToken, question));
        const nextPageToken = rowToken(page, question);
        return create(ListDelaySamplesResponseSchema, { samples: page.rows.map(delaySampleMessage), nextPageToken });
      }),
  };
}

function rttFilter(request: FlowRequest & { readonly method: number; readonly side: RttSide }): RttFilter {
  const { method, side } = request;
  if (method < 0 || method > 255) throw new ConnectError(`method ${method} is unknown`, Code.InvalidArgument);
  const known = side === RttSide.UNSPECIFIED || side === RttSide.REMOTE || side === RttSide.LOCAL;
  if (!known) throw new ConnectError(`side ${side} is unknown`, Code.InvalidArgument);
  return { ...flowFilter(request), method, local: side === RttSide.UNSPECIFIED ? undefined : side === RttSide.LOCAL };
}
