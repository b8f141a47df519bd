import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  FlowGrouping,
  FlowOrder,
  ListFlowsResponseSchema,
  ListThroughputResponseSchema,
  type QueryService,
} from "@waymark/proto/query";
import { listBiflows } from "../store/biflow-query.ts";
import { listFlowRecords, listFlowSums, type SumOrder } from "../store/flow-query.ts";
import { listThroughputRecords, listThroughputSums } from "../store/throughput-query.ts";
import { type AnswerSources, answer } from "./answer.ts";
import { flowFilter } from "./filters.ts";
import { biflowMessage, flowRecordMessage, throughputMessage } from "./flow-message.ts";
import { pageSize } from "./page-token.ts";
import { questionOf, rowPlaceOf, rowToken, sumPlaceOf, sumToken } from "./places.ts";

const USUAL_ROWS = 1000;
const MAX_ROWS = 10_000;

type Grouping = "records" | "flows" | "biflows";

/** Answers what tcflows and flowmon have reported. */
export function flowService({
  store,
  clock,
  log,
}: AnswerSources): Pick<ServiceImpl<typeof QueryService>, "listFlows" | "listThroughput"> {
  return {
    listFlows: (request) =>
      answer(log, async () => {
        const filter = { ...flowFilter(request), includeDuplicates: request.includeDuplicates };
        const grouping = groupingOf(request.grouping);
        const order = orderOf(request.order, grouping);
        const size = pageSize(request.pageSize, USUAL_ROWS, MAX_ROWS);
        const question = questionOf("flows", filter, grouping, order);
        if (grouping === "records" && order === "time") {
          const page = await listFlowRecords(store, filter, size, rowPlaceOf(request.pageToken, question));
          const nextPageToken = rowToken(page, question);
          return create(ListFlowsResponseSchema, { flows: page.rows.map(flowRecordMessage), nextPageToken });
        }
        const place = sumPlaceOf(request.pageToken, question, clock);
        if (grouping === "biflows") {
          const page = await listBiflows(store, filter, order, size, place);
          const nextPageToken = sumToken(page, question);
          return create(ListFlowsResponseSchema, { flows: page.rows.map(biflowMessage), nextPageToken });
        }
        const page = await listFlowSums(store, filter, grouping, order, size, place);
        const nextPageToken = sumToken(page, question);
        return create(ListFlowsResponseSchema, { flows: page.rows.map(flowRecordMessage), nextPageToken });
      }),
    listThroughput: (request) =>
      answer(log, async () => {
        const filter = flowFilter(request);
        const grouping = groupingOf(request.grouping);
        if (grouping === "biflows")
          throw new ConnectError("grouping BIFLOWS is not for throughput", Code.InvalidArgument);
        const order = orderOf(request.order, grouping);
        const size = pageSize(request.pageSize, USUAL_ROWS, MAX_ROWS);
        const question = questionOf("throughput", filter, grouping, order);
        if (grouping === "records" && order === "time") {
          const page = await listThroughputRecords(store, filter, size, rowPlaceOf(request.pageToken, question));
          const nextPageToken = rowToken(page, question);
          return create(ListThroughputResponseSchema, {
            throughputs: page.rows.map(throughputMessage),
            nextPageToken,
          });
        }
        const place = sumPlaceOf(request.pageToken, question, clock);
        const page = await listThroughputSums(store, filter, grouping, order, size, place);
        const nextPageToken = sumToken(page, question);
        return create(ListThroughputResponseSchema, { throughputs: page.rows.map(throughputMessage), nextPageToken });
      }),
  };
}

function groupingOf(grouping: FlowGrouping): Grouping {
  switch (grouping) {
    case FlowGrouping.UNSPECIFIED:
    case FlowGrouping.RECORDS:
      return "records";
    case FlowGrouping.FLOWS:
      return "flows";
    case FlowGrouping.BIFLOWS:
      return "biflows";
    default:
      throw new ConnectError(`grouping ${grouping} is unknown`, Code.InvalidArgument);
  }
}

function orderOf(order: FlowOrder, grouping: Grouping): SumOrder {
  switch (order) {
    case FlowOrder.UNSPECIFIED:
      return grouping === "records" ? "time" : "bytes";
    case FlowOrder.TIME:
      return "time";
    case FlowOrder.BYTES:
      return "bytes";
    case FlowOrder.PACKETS:
      return "packets";
    default:
      throw new ConnectError(`order ${order} is unknown`, Code.InvalidArgument);
  }
}
