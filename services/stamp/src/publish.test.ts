import { toBinary } from "@bufbuild/protobuf";
import { parseAddress } from "@waymark/packet";
import { type DelayBatch, DelayBatchSchema } from "@waymark/proto/report";
import { delayPayloads, type ReportedSession } from "./publish.ts";
import { SessionStats } from "./stats/session-stats.ts";
import type { Summary } from "./stats/summary.ts";

const SECOND = 1_000_000_000n;
const START = 1_700_000_000n * SECOND;
const SESSION: ReportedSession = {
  senderAddress: parseAddress("192.0.2.1")!,
  reflectorAddress: parseAddress("192.0.2.2")!,
  senderPort: 4862,
  reflectorPort: 862,
  ssid: 7,
  dscp: 46,
  authenticated: true,
};

/** A packet that never reaches the reflector, which numbers its answers, and `count` with round trips of 1, 2, 3 … µs. */
function summaryOf(count: number, errorNs: bigint | "unknown" = 50n): Summary {
  const stats = new SessionStats({ startNs: START, intervalNs: 1000n * SECOND, waitNs: SECOND, remembered: count });
  const clock = { synchronised: true, errorNs: errorNs === "unknown" ? undefined : errorNs };
  stats.sent(0, START);
  for (let sequence = 1; sequence <= count; sequence++) {
    const t1Ns = START + BigInt(sequence) * 1_000_000n;
    stats.sent(sequence, t1Ns);
    stats.answered({
      sequence,
      reflectorSequence: sequence - 1,
      t1Ns,
      t2Ns: t1Ns - 5n,
      t3Ns: t1Ns + 5n,
      t4Ns: t1Ns + BigInt(sequence) * 1000n + 10n,
      sender: clock,
      reflector: clock,
      senderTtl: 1,
    });
  }
  stats.finish(START + 1000n * SECOND);
  return stats.total;
}

function batches(payloads: ReturnType<typeof delayPayloads>): DelayBatch[] {
  return payloads.map((each) => {
    if (each.case !== "delay") throw new Error(each.case);
    return each.value as DelayBatch;
  });
}

test("a summary is published with every figure, signed, and its session", () => {
  const [batch] = batches(delayPayloads([{ session: SESSION, summary: summaryOf(3), waitNs: SECOND }]));
  expect(batch?.sessions).toMatchObject([{ ...SESSION, stateful: true }]);
  expect(batch?.summaries).toMatchObject([
    {
      session: 0,
      fromNs: START,
      toNs: START + 1000n * SECOND,
      sentPackets: 4n,
      receivedPackets: 3n,
      lostPackets: 1n,
      lostForwardPackets: 1n,
      lostBackwardPackets: 0n,
      forward: { count: 3n, minNs: -5n, maxNs: -5n, sumNs: -15n },
      roundTrip: { count: 3n, minNs: 1000n, maxNs: 3000n, sumNs: 6000n, histogram: { precisionBits: 7 } },
      residence: { count: 3n, minNs: 10n, maxNs: 10n },
      roundTripIpdvNs: 1000n,
      forwardJitterNs: 0n,
      errorNs: 100n,
      synchronised: true,
      waitNs: SECOND,
    },
  ]);
  const { counts = [] } = batch?.summaries[0]?.roundTrip?.histogram ?? {};
  expect(counts.reduce((sum, count) => sum + count, 0n)).toBe(3n);
});

test("what is not known is left out, not zero", () => {
  const nothing = new SessionStats({ startNs: START, intervalNs: SECOND, waitNs: SECOND });
  nothing.sent(0, START);
  nothing.finish(START + SECOND);
  const [batch] = batches(delayPayloads([{ session: SESSION, summary: nothing.total, waitNs: SECOND }]));
  const summary = batch?.summaries[0];
  expect([summary?.errorNs, summary?.lostForwardPackets, summary?.forwardJitterNs]).toEqual(
    new Array(3).fill(undefined),
  );
  expect([summary?.roundTrip?.count, summary?.roundTrip?.histogram]).toEqual([0n, undefined]);
  const silent = batches(delayPayloads([{ session: SESSION, summary: summaryOf(2, "unknown"), waitNs: SECOND }]));
  expect(silent[0]?.summaries[0]?.errorNs).toBeUndefined();
});

test("many sessions and samples go into several reports below 64 KiB, each complete by itself", () => {
  const summary = summaryOf(5000);
  const sessions = Array.from({ length: 40 }, (_, ssid) => ({ ...SESSION, ssid }));
  const samples = Array.from({ length: 5000 }, (_, sequence) => ({
    session: sessions[sequence % 40]!,
    sequence,
    atNs: START,
    forwardNs: -4_000_000_000_000,
    backwardNs: 4_000_000_000_000,
    roundTripNs: 4_000_000_000_000,
  }));
  const parts = batches(
    delayPayloads(
      sessions.map((session) => ({ session, summary, waitNs: SECOND })),
      samples,
    ),
  );
  expect(Math.max(...parts.map((part) => toBinary(DelayBatchSchema, part).length))).toBeLessThan(64 * 1024);
  const ssids = parts.flatMap((part) => part.summaries.map((each) => part.sessions[each.session]?.ssid));
  expect(ssids).toEqual(sessions.map(({ ssid }) => ssid));
  const sequences = parts.flatMap((part) => part.samples?.sequence ?? []);
  expect(sequences).toEqual(samples.map(({ sequence }) => sequence));
  for (const { sessions: known, samples: columns } of parts) {
    columns?.session.forEach((place, i) => {
      expect(known[place]?.ssid).toBe(columns.sequence[i]! % 40);
    });
  }
});

test("nothing is no report", () => {
  expect(delayPayloads([])).toEqual([]);
});
