import type { Answer } from "../stats/answer.ts";
import { SessionStats } from "../stats/session-stats.ts";
import { answerLine } from "./answer-line.ts";
import { answerJson, summaryJson } from "./json-lines.ts";
import { LiveView } from "./live-view.ts";
import type { SessionView } from "./session-view.ts";
import { summaryText } from "./summary-text.ts";

const SECOND = 1_000_000_000n;
const START = 1_700_000_000n * SECOND;
const CLOCK = { synchronised: true, errorNs: 122_000n };

function answer(sequence: number, roundTripNs: bigint, more: Partial<Answer> = {}): Answer {
  const t1Ns = START + BigInt(sequence) * SECOND;
  const t2Ns = t1Ns + 100_000n;
  return {
    sequence,
    reflectorSequence: sequence,
    t1Ns,
    t2Ns,
    t3Ns: t2Ns + 7_000n,
    t4Ns: t1Ns + roundTripNs + 7_000n,
    sender: CLOCK,
    reflector: CLOCK,
    senderTtl: 64,
    ...more,
  };
}

/** Four packets: answered by 0.2, 0.3 and 0.4 ms, the last lost on the way there before another that is answered. */
function session(more: Partial<Answer> = {}): SessionView {
  const stats = new SessionStats({ startNs: START, intervalNs: 10n * SECOND, waitNs: SECOND });
  const answered = [0, 1, 2, 4];
  for (let sequence = 0; sequence < 5; sequence++) {
    stats.sent(sequence, START + BigInt(sequence) * SECOND);
    const number = answered.indexOf(sequence);
    if (number < 0) continue;
    stats.answered(answer(sequence, BigInt(200_000 + 100_000 * number), { reflectorSequence: number, ...more }));
  }
  stats.finish(START + 6n * SECOND);
  return { host: "lab-7", address: "192.0.2.7", port: 862, ssid: 0, authenticated: false, summary: stats.total };
}

const empty = (): SessionView => {
  const stats = new SessionStats({ startNs: START, intervalNs: SECOND, waitNs: SECOND });
  stats.sent(0, START);
  stats.finish(START + SECOND);
  return { ...session(), summary: stats.total };
};

describe("the summary at the end", () => {
  test("has the earlier tool's block and what it lacked", () => {
    expect(summaryText(session())).toBe(`
--- lab-7 STAMP statistics ---
Packets:   sent 5         received 4     lost 1         loss 20.00%
Near-end:  min   0.100ms  max   0.100ms  avg   0.100ms  last   0.100ms  jitter   0.000ms
Far-end:   min   0.100ms  max   0.400ms  avg   0.250ms  last   0.400ms  jitter   0.018ms
Roundtrip: min   0.200ms  max   0.500ms  avg   0.350ms  last   0.500ms  jitter   0.018ms
           lost forward 1, backward 0; late 0; duplicates 0; reordered 0
                  p50        p95        p99      p99.9       IPDV   PDV 99.9  ms
Near-end        0.100      0.100      0.100      0.100      0.000      0.000
Far-end         0.200      0.400      0.400      0.400      0.100      0.300
Roundtrip       0.300      0.500      0.500      0.500      0.100      0.300
Reflector       0.007      0.007      0.007      0.007      0.000      0.000
One-way figures: both clocks are synchronised, error ±0.244 ms
`);
  });

  test("shows nothing where nothing is known", () => {
    expect(summaryText(empty())).toBe(`
--- lab-7 STAMP statistics ---
Packets:   sent 1         received 0     lost 1         loss 100.00%
Near-end:  min       -ms  max       -ms  avg       -ms  last       -ms  jitter       -ms
Far-end:   min       -ms  max       -ms  avg       -ms  last       -ms  jitter       -ms
Roundtrip: min       -ms  max       -ms  avg       -ms  last       -ms  jitter       -ms
           late 0; duplicates 0; reordered 0
                  p50        p95        p99      p99.9       IPDV   PDV 99.9  ms
Near-end            -          -          -          -          -          -
Far-end             -          -          -          -          -          -
Roundtrip           -          -          -          -          -          -
Reflector           -          -          -          -          -          -
`);
  });

  test("says why one-way figures are not to be trusted", () => {
    const last = (view: SessionView) => summaryText(view).trimEnd().split("\n").at(-1);
    expect(last(session({ sender: { synchronised: false, errorNs: 1n } }))).toBe(
      "One-way figures: not trustworthy, clocks are not synchronised (the reflector's is at +0.000 ms if both ways take as long)",
    );
    expect(last(session({ sender: { synchronised: true, errorNs: undefined } }))).toBe(
      "One-way figures: not trustworthy, a clock does not say how far it may be off",
    );
    const t2Ns = START - SECOND;
    expect(last(session({ t2Ns, t3Ns: t2Ns + 7_000n }))).toBe(
      "One-way figures: not trustworthy, below zero by more than the error that the clocks admit (±0.244 ms)",
    );
  });
});

describe("one answer", () => {
  const view = session();
  const line = (kind: "received" | "late" | "duplicate" | "unmatched", trust: "trusted" | "unsynchronised") => {
    const delays = { forwardNs: 100_000, backwardNs: -50_000, roundTripNs: 200_000, residenceNs: 7_000 };
    const verdict = { kind, delays: kind === "received" ? delays : undefined };
    return answerLine("lab-7", 44, answer(3, 200_000n), verdict, trust);
  };

  test("as a line", () => {
    expect(line("received", "trusted")).toBe(
      "44 octets from lab-7: seq=3 ttl=64 rtt=0.200 forward=0.100 backward=-0.050 ms",
    );
    expect(line("received", "unsynchronised")).toBe(
      "44 octets from lab-7: seq=3 ttl=64 rtt=0.200 forward=0.100? backward=-0.050? ms",
    );
    expect(line("late", "trusted")).toBe("44 octets from lab-7: seq=3 late, after 0.207 ms");
    expect(line("duplicate", "trusted")).toBe("44 octets from lab-7: seq=3 duplicate");
    expect(line("unmatched", "trusted")).toBe("44 octets from lab-7: seq=3 answers nothing that was sent");
  });

  test("as JSON", () => {
    expect(JSON.parse(answerJson(view, answer(3, 200_000n), { kind: "duplicate", delays: undefined }))).toEqual({
      type: "answer",
      host: "lab-7",
      address: "192.0.2.7",
      port: 862,
      ssid: 0,
      authenticated: false,
      kind: "duplicate",
      sequence: 3,
      reflector_sequence: 3,
      sent_ns: "1700000003000000000",
      forward_ns: null,
      backward_ns: null,
      round_trip_ns: null,
      residence_ns: null,
      sender_ttl: 64,
    });
  });
});

describe("JSON of a session", () => {
  test("has every figure, and null for what is not known", () => {
    const view = session();
    const read = JSON.parse(summaryJson("summary", view, view.summary));
    expect(read).toMatchObject({
      type: "summary",
      from_ns: "1700000000000000000",
      to_ns: "1700000006000000000",
      sent_packets: 5,
      received_packets: 4,
      lost_packets: 1,
      lost_forward_packets: 1,
      lost_backward_packets: 0,
      loss_ratio: 0.2,
      one_way_trust: "trusted",
      one_way_error_ns: 244_000,
      synchronised: true,
    });
    expect(read.round_trip).toMatchObject({ count: 4, min_ns: 200_000, mean_ns: 350_000, max_ns: 500_000 });
    const blank = empty();
    const unknown = JSON.parse(summaryJson("interval", blank, blank.summary));
    expect(unknown).toMatchObject({
      lost_forward_packets: null,
      one_way_error_ns: null,
      clock_offset_ns: null,
      loss_ratio: 1,
    });
    expect(Object.values(unknown.forward)).toEqual([0, ...new Array(10).fill(null)]);
  });
});

describe("the live view", () => {
  test("is drawn over itself, not below itself", () => {
    const view = new LiveView();
    const first = view.frame([session()], 80);
    const second = view.frame([session()], 80);
    const count = first.split("\n").length - 1;
    expect(first.startsWith("Packets:")).toBe(true);
    expect(second).toBe(`\u001b[${count}F${first}`);
  });

  test("does not wrap", () => {
    const lines = new LiveView().frame([session()], 20).replaceAll("\u001b[K", "").replace("\u001b[J", "").split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBe(20);
  });

  test("is a table for several, of which only some are shown", () => {
    const frame = new LiveView().frame(
      Array.from({ length: 20 }, () => session()),
      120,
    );
    const lines = frame.replaceAll("\u001b[K", "").split("\n");
    expect(lines[0]).toBe(
      "HOST                          SENT      LOST    LOSS %   RTT P50   RTT P99  NEAR P50   FAR P50",
    );
    expect(lines[1]).toBe(
      "lab-7                            5         1     20.00     0.300     0.500     0.100     0.200",
    );
    expect(lines[17]).toBe("and 4 more");
  });
});
