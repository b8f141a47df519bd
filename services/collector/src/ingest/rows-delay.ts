import type { DelayBatch, DelaySamples, DelaySession, DelaySummary } from "@waymark/proto/report";
import { addressText, distributionValues, NO_ITEM, optional } from "./row-fields.ts";

const NO_SESSION = '"::","::",0,0,0,0,false,false';
const NO_DISTRIBUTIONS = Array.from({ length: 4 }, () => distributionValues(undefined)).join(",");
const NO_SUMMARY = `0,0,0,null,null,0,0,0,${NO_DISTRIBUTIONS},null,null,null,null,null,null,null,false,0`;
const NO_SAMPLES = "[],[],[],[],[]";
const NOTHING = `${NO_ITEM},${NO_SESSION},${NO_SUMMARY},${NO_SAMPLES}`;

/** One row per summary, and per session that has samples. */
export function delayRows({ sessions, summaries, samples }: DelayBatch): readonly string[] {
  const rows: string[] = [];
  const keys = sessions.map(sessionValues);
  for (const summary of summaries) rows.push(summaryValues(summary, keys, rows.length));
  for (const [session, places] of samples === undefined ? [] : placesBySession(samples)) {
    if (samples !== undefined) rows.push(sampleValues(samples, places, keys[session] ?? NO_SESSION, rows.length));
  }
  return rows.length > 0 ? rows : [NOTHING];
}

function sessionValues(session: DelaySession): string {
  return (
    `${addressText(session.senderAddress)},${addressText(session.reflectorAddress)},${session.senderPort},` +
    `${session.reflectorPort},${session.ssid},${session.dscp},${session.authenticated},${session.stateful}`
  );
}

function summaryValues(summary: DelaySummary, keys: readonly string[], nth: number): string {
  const { lostForwardPackets, lostBackwardPackets, forward, backward, roundTrip, residence } = summary;
  const counts = [
    ...[summary.sentPackets, summary.receivedPackets, summary.lostPackets],
    ...[optional(lostForwardPackets), optional(lostBackwardPackets)],
    ...[summary.duplicatePackets, summary.reorderedPackets, summary.latePackets],
  ];
  const times = [
    ...[summary.forwardJitterNs, summary.backwardJitterNs, summary.roundTripJitterNs],
    ...[summary.forwardIpdvNs, summary.backwardIpdvNs, summary.roundTripIpdvNs, summary.errorNs],
  ];
  return (
    `"summary",${nth},${summary.fromNs},${summary.toNs},${keys[summary.session]},${counts.join(",")},` +
    `${[forward, backward, roundTrip, residence].map(distributionValues).join(",")},` +
    `${times.map(optional).join(",")},${summary.synchronised},${summary.waitNs},${NO_SAMPLES}`
  );
}

function placesBySession({ session }: DelaySamples): Map<number, readonly number[]> {
  return Map.groupBy(
    session.map((_, place) => place),
    (place) => session[place] ?? 0,
  );
}

function sampleValues(samples: DelaySamples, places: readonly number[], key: string, nth: number): string {
  const { sequence, atNs, forwardNs, backwardNs, roundTripNs } = samples;
  const times = places.map((place) => atNs[place] ?? 0n);
  const least = times.reduce((a, b) => (b < a ? b : a));
  const most = times.reduce((a, b) => (b > a ? b : a));
  const columns: readonly (readonly (number | bigint)[])[] = [sequence, atNs, forwardNs, backwardNs, roundTripNs];
  const lists = columns.map((column) => `[${places.map((place) => column[place]).join(",")}]`);
  return `"samples",${nth},${least},${most},${key},${NO_SUMMARY},${lists.join(",")}`;
}
