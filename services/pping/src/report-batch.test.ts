import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ReportPayload } from "@waymark/agent";
import { type RttBatch, RttBatchSchema, RttMethod } from "@waymark/proto/report";
import type { FlowEnd } from "./flow-end.ts";
import { FlowSummaries } from "./flow-summaries.ts";
import type { FlowCounts, RttSample } from "./news.ts";
import { ReportBatch } from "./report-batch.ts";

function flow(flowId: number, direction = 0): FlowEnd {
  return {
    flowId,
    direction,
    protocol: 6,
    source: new Uint8Array(16).fill(flowId % 256),
    destination: new Uint8Array(16).fill(1),
    sourcePort: 80,
    destinationPort: flowId % 65_536,
    vlanId: 0,
    protocolText: "TCP",
    sourceText: "",
    destinationText: "",
    text: "",
  };
}

const counts = (sent: number, received: number): FlowCounts => ({
  sentPackets: sent,
  sentL3Bytes: sent * 100,
  sentPayloadBytes: 0,
  receivedPackets: received,
  receivedL3Bytes: received * 40,
  receivedPayloadBytes: 0,
});

const sample = (of: FlowEnd, more: Partial<RttSample> = {}): RttSample => ({
  kind: "rtt",
  flow: of,
  atNs: 1_700_000_000_000_000_000n,
  counts: counts(2, 1),
  rttNs: 1_234_567,
  minRttNs: 1000,
  method: "tcp_timestamp",
  local: false,
  confidencePermille: 1000,
  ...more,
});

function collect() {
  const batches: RttBatch[] = [];
  const batch = new ReportBatch((payload: ReportPayload) => {
    if (payload.case === "rtt") {
      batches.push(fromBinary(RttBatchSchema, toBinary(RttBatchSchema, create(RttBatchSchema, payload.value))));
    }
  });
  return { batch, batches };
}

test("all samples arrive, in reports below 64 KiB, each with its flows", () => {
  const { batch, batches } = collect();
  const flows = Array.from({ length: 3000 }, (_, i) => flow(i));
  for (let round = 0; round < 4; round++) for (const each of flows) batch.addSample(sample(each));
  batch.flush();
  batch.flush();
  expect(batches.reduce((sum, { samples }) => sum + (samples?.flow.length ?? 0), 0)).toBe(12_000);
  for (const each of batches) {
    expect(toBinary(RttBatchSchema, each).length).toBeLessThan(64 * 1024);
    expect(each.samples?.flow.every((place) => each.flows[place] !== undefined)).toBe(true);
    expect(each.samples?.confidencePermille).toEqual([]);
  }
});

test("a sample says its method, side and how sure it is", () => {
  const { batch, batches } = collect();
  batch.addSample(sample(flow(1)));
  batch.addSample(sample(flow(1, 1), { method: "quic_spin", local: true, confidencePermille: 750 }));
  batch.flush();
  expect(batches[0]?.samples).toMatchObject({
    flow: [0, 1],
    method: [RttMethod.TCP_TIMESTAMP, RttMethod.QUIC_SPIN],
    local: [false, true],
    confidencePermille: [1000, 750],
    rttNs: [1_234_567n, 1_234_567n],
  });
});

test("summaries of a flow add up to its last word, whatever was told in between", () => {
  const summaries = new FlowSummaries(10);
  const [there, back] = [flow(1), flow(1, 1)];
  summaries.add(sample(there, { counts: counts(10, 5) }));
  summaries.add(sample(back, { counts: counts(6, 11), local: true }));
  const first = summaries.take(0n, 1n);
  summaries.add(sample(there, { counts: counts(20, 9) }));
  summaries.add({ kind: "removed", flow: there, atNs: 0n, counts: counts(25, 10) });
  const second = summaries.take(1n, 2n);
  const sums = (subject: FlowEnd) =>
    [...first, ...second]
      .filter((summary) => summary.subject === subject)
      .reduce(
        (sum, summary) => [sum[0] + summary.counts.sentPackets, sum[1] + summary.counts.receivedL3Bytes] as const,
        [0n, 0n] as readonly [bigint, bigint],
      );
  expect([sums(there), sums(back)]).toEqual([
    [25n, 400n],
    [10n, 2500n],
  ]);
  expect(first.map(({ rtts }) => rtts?.count)).toEqual([1, 1]);
  expect(second.map(({ rtts }) => rtts?.count)).toEqual([1, undefined]);
  expect(summaries.size).toBe(0);
  expect(summaries.take(2n, 3n)).toEqual([]);
});

test("no more flows are remembered than fit; the oldest are told early", () => {
  const summaries = new FlowSummaries(5);
  for (let i = 0; i < 100; i++) summaries.add(sample(flow(i)));
  expect(summaries.size).toBe(10);
  expect(summaries.take(0n, 1n)).toHaveLength(100);
});
