import type { FlowEnd } from "./flow-end.ts";
import { FlowSummaries } from "./flow-summaries.ts";
import type { FlowCounts, RttSample } from "./news.ts";

const flow = { flowId: 1, direction: 0 } as FlowEnd;

function counts(packets: number): FlowCounts {
  return {
    sentPackets: packets,
    sentL3Bytes: packets * 100,
    sentPayloadBytes: packets * 48,
    receivedPackets: packets,
    receivedL3Bytes: packets * 100,
    receivedPayloadBytes: packets * 48,
  };
}

function sample(packets: number, confidencePermille = 1000): RttSample {
  const method = confidencePermille === 1000 ? "tcp_timestamp" : "quic_spin";
  return {
    kind: "rtt",
    flow,
    atNs: 0n,
    counts: counts(packets),
    rttNs: 1000,
    minRttNs: 0,
    method,
    local: false,
    confidencePermille,
  };
}

test("news that waited while the kernel was asked take nothing back, also where the last word was lost", () => {
  const flows = new FlowSummaries(4);
  flows.add(sample(1));
  const sent = [flows.take(0n, 1n, () => counts(10))];
  flows.add(sample(7));
  sent.push(flows.take(1n, 2n));
  flows.add({ kind: "removed", flow, atNs: 0n, counts: counts(12) });
  sent.push(flows.take(2n, 3n));
  expect(sent.map((summaries) => summaries.map(({ counts: { sentPackets } }) => sentPackets))).toEqual([
    [10n],
    [0n],
    [2n],
  ]);
  expect(flows.size).toBe(0);
});

test("a sample that is more likely wrong than right is in no histogram; its packets count", () => {
  const flows = new FlowSummaries(4);
  flows.add(sample(1, 499));
  expect(flows.take(0n, 1n)).toMatchObject([{ method: undefined, rtts: undefined, counts: { sentPackets: 1n } }]);
  flows.add(sample(2, 500));
  expect(flows.take(1n, 2n)).toMatchObject([{ method: "quic_spin", rtts: { count: 1 } }]);
});
