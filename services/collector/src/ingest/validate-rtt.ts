import { parseCidr } from "@waymark/packet";
import type { FlowEvent, RttBatch, RttSamples, RttSummary } from "@waymark/proto/report";
import { isName, MAX_BYTES, MAX_PACKETS, validateTime } from "./fields.ts";
import { check } from "./refusal.ts";
import { validateDistribution } from "./validate-distribution.ts";
import { validateFlowKey } from "./validate-flow-key.ts";

const MAX_RTT_NS = 2n ** 62n;
const CERTAIN_PERMILLE = 1000;
const MAX_METHOD = 255;
const MAX_EVENT = 255;
const MAX_WORD_LENGTH = 64;

/** @throws Refusal with the first thing that cannot be true */
export function validateRtt({ flows, samples, summaries, events }: RttBatch, nowNs: bigint): void {
  for (const flow of flows) validateFlowKey(flow);
  if (samples !== undefined) validateSamples(samples, flows.length, nowNs);
  for (const summary of summaries) validateSummary(summary, flows.length, nowNs);
  for (const event of events) validateEvent(event, flows.length, nowNs);
}

function validateSamples(samples: RttSamples, flows: number, nowNs: bigint): void {
  const { flow, atNs, rttNs, method, local, confidencePermille } = samples;
  const count = flow.length;
  const even = [atNs, rttNs, method, local].every((column) => column.length === count);
  check(even, "rtt", "the columns of samples are not equally long");
  const confidence = confidencePermille.length === 0 || confidencePermille.length === count;
  check(confidence, "rtt", "confidence_permille is neither empty nor as long as the other columns");
  for (let index = 0; index < count; index++) {
    check((flow[index] ?? 0) < flows, "rtt", `a sample of flow ${flow[index]}, there are ${flows}`);
    validateTime("a sample's at_ns", atNs[index] ?? 0n, nowNs);
    check((rttNs[index] ?? 0n) <= MAX_RTT_NS, "rtt", `rtt_ns ${rttNs[index]} is impossible`);
    check((method[index] ?? 0) <= MAX_METHOD, "rtt", `method ${method[index]} is more than ${MAX_METHOD}`);
    const likely = (confidencePermille[index] ?? 0) <= CERTAIN_PERMILLE;
    check(likely, "rtt", `confidence_permille ${confidencePermille[index]} is more than ${CERTAIN_PERMILLE}`);
  }
}

function validateSummary(summary: RttSummary, flows: number, nowNs: bigint): void {
  const { subject, fromNs, toNs, method, rtt } = summary;
  check(subject.case !== undefined, "rtt", "a summary of neither a flow nor a prefix");
  if (subject.case === "flow") check(subject.value < flows, "rtt", `a summary of flow ${subject.value}, not in flows`);
  else check(parseCidr(subject.value).ok, "rtt", "a summary's prefix is no CIDR");
  validateTime("from_ns", fromNs, nowNs);
  validateTime("to_ns", toNs, nowNs);
  check(fromNs <= toNs, "rtt", "to_ns is before from_ns");
  check(method <= MAX_METHOD, "rtt", `method ${method} is more than ${MAX_METHOD}`);
  check(rtt === undefined || rtt.count === 0n || rtt.minNs >= 0n, "rtt", "a round trip of less than no time");
  validateDistribution("rtt", rtt);
  const { sentPackets, receivedPackets, measurablePackets, sentL3Bytes, receivedL3Bytes } = summary;
  const packets = [sentPackets, receivedPackets, measurablePackets].every((count) => count <= MAX_PACKETS);
  const bytes = sentL3Bytes <= MAX_BYTES && receivedL3Bytes <= MAX_BYTES;
  check(packets && bytes, "rtt", "a summary counts more than any link carries");
}

function validateEvent(event: FlowEvent, flows: number, nowNs: bigint): void {
  check(event.flow < flows, "rtt", `an event of flow ${event.flow}, there are ${flows}`);
  validateTime("an event's at_ns", event.atNs, nowNs);
  check(event.kind <= MAX_EVENT, "rtt", `event kind ${event.kind} is more than ${MAX_EVENT}`);
  const words = [event.reason, event.triggeredBy].every((word) => word === "" || isName(word, MAX_WORD_LENGTH));
  check(words, "rtt", `reason or triggered_by is not ${MAX_WORD_LENGTH} printable characters`);
}
