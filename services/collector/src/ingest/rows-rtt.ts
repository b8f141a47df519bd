import type { FlowEvent, FlowKey, RttBatch, RttSamples, RttSummary } from "@waymark/proto/report";
import { distributionValues, flowKeyValues, NO_FLOW_KEY, NO_ITEM } from "./row-fields.ts";

const NO_SUMMARY = `${distributionValues(undefined)},0,0,0,0,0`;
const NO_SAMPLES = "[],[],[]";
const NO_EVENT = '0,"",""';
const NOTHING = `${NO_ITEM},${NO_FLOW_KEY},"",0,false,${NO_SUMMARY},${NO_SAMPLES},${NO_EVENT}`;
const CERTAIN_PERMILLE = 1000;

/** One row per summary, per event, and per flow, method and side that has samples. */
export function rttRows({ flows, samples, summaries, events }: RttBatch): readonly string[] {
  const rows: string[] = [];
  const keys = flows.map((flow: FlowKey) => flowKeyValues(flow));
  for (const summary of summaries) rows.push(summaryValues(summary, keys, rows.length));
  for (const event of events) rows.push(eventValues(event, keys, rows.length));
  for (const group of samples === undefined ? [] : groupsOf(samples)) {
    rows.push(sampleValues(group, keys, rows.length));
  }
  return rows.length > 0 ? rows : [NOTHING];
}

function summaryValues(summary: RttSummary, keys: readonly string[], nth: number): string {
  const { subject, fromNs, toNs, method, local, rtt } = summary;
  const key = subject.case === "flow" ? keys[subject.value] : NO_FLOW_KEY;
  const prefix = JSON.stringify(subject.case === "prefix" ? subject.value : "");
  return (
    `"summary",${nth},${fromNs},${toNs},${key},${prefix},${method},${local},${distributionValues(rtt)},` +
    `${summary.sentPackets},${summary.sentL3Bytes},${summary.receivedPackets},${summary.receivedL3Bytes},` +
    `${summary.measurablePackets},${NO_SAMPLES},${NO_EVENT}`
  );
}

function eventValues(event: FlowEvent, keys: readonly string[], nth: number): string {
  const words = `${JSON.stringify(event.reason)},${JSON.stringify(event.triggeredBy)}`;
  return (
    `"event",${nth},${event.atNs},${event.atNs},${keys[event.flow]},"",0,false,${NO_SUMMARY},${NO_SAMPLES},` +
    `${event.kind},${words}`
  );
}

/** Samples of one flow, method and side, as places in the columns of the report. */
interface SampleGroup {
  readonly flow: number;
  readonly method: number;
  readonly local: boolean;
  fromNs: bigint;
  toNs: bigint;
  at: string;
  rtt: string;
  confidence: string;
}

function groupsOf({ flow, atNs, rttNs, method, local, confidencePermille }: RttSamples): Iterable<SampleGroup> {
  const groups = new Map<number, SampleGroup>();
  for (let index = 0; index < flow.length; index++) {
    const place = flow[index] ?? 0;
    const how = method[index] ?? 0;
    const near = local[index] ?? false;
    const at = atNs[index] ?? 0n;
    const confidence = confidencePermille[index] ?? CERTAIN_PERMILLE;
    const name = place * 512 + how * 2 + (near ? 1 : 0);
    const group = groups.get(name);
    if (group === undefined) {
      groups.set(name, {
        ...{ flow: place, method: how, local: near, fromNs: at, toNs: at },
        ...{ at: `${at}`, rtt: `${rttNs[index]}`, confidence: `${confidence}` },
      });
      continue;
    }
    if (at < group.fromNs) group.fromNs = at;
    if (at > group.toNs) group.toNs = at;
    group.at += `,${at}`;
    group.rtt += `,${rttNs[index]}`;
    group.confidence += `,${confidence}`;
  }
  return groups.values();
}

function sampleValues(group: SampleGroup, keys: readonly string[], nth: number): string {
  const { flow, method, local, fromNs, toNs, at, rtt, confidence } = group;
  return (
    `"samples",${nth},${fromNs},${toNs},${keys[flow]},"",${method},${local},${NO_SUMMARY},[${at}],[${rtt}],` +
    `[${confidence}],${NO_EVENT}`
  );
}
