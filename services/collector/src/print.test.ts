import { LossReason as R, LossVerdict as V } from "@waymark/proto/query";
import { formatLossLine } from "./print.ts";
import type { LossRow } from "./verdict.ts";

const plain = { named: false, revised: false, colour: false };
const start = new Date(2020, 8, 20, 8, 8, 20).getTime();

function row(more: Partial<LossRow> = {}): LossRow {
  return {
    path: "default",
    flow: "default",
    intervalNs: 10_000_000_000n,
    blockNumber: 1n,
    startNs: BigInt(start) * 1_000_000n,
    sentPackets: 100n,
    receivedPackets: 100n,
    lostPackets: 0n,
    sentL3Bytes: 0n,
    receivedL3Bytes: 0n,
    lossRatio: 0,
    verdict: V.COMPLETE,
    reasons: [],
    revision: 1,
    numbered: true,
    agents: [],
    deadlineNs: 0n,
    changedNs: 0n,
    ...more,
  };
}

const invalid = (...reasons: R[]) => ({ verdict: V.INVALID, reasons });

test.each<[string, Partial<LossRow>, object]>([
  ["[2020-09-20 08:08:20] loss=0", {}, {}],
  ["[2020-09-20 08:08:20] loss=4", { lostPackets: 4n }, {}],
  ["[2020-09-20 08:08:20] loss=? (missing sink)", { verdict: V.MISSING_SINK, numbered: false }, {}],
  ["[2020-09-20 08:08:20] loss=? (missing source)", { verdict: V.MISSING_SOURCE, numbered: false }, {}],
  ["[2020-09-20 08:08:20] loss=? (invalid: path_unconfirmed)", { ...invalid(R.PATH_UNCONFIRMED), numbered: false }, {}],
  ["[2020-09-20 08:08:20] loss=? (invalid: coverage)", { ...invalid(R.COVERAGE), lostPackets: 7n }, {}],
  ["[2020-09-20 08:08:20] loss=? (invalid: guard_band)", { ...invalid(R.GUARD_BAND), lostPackets: 7n }, {}],
  ["[2020-09-20 08:08:20] loss=? (invalid: clock, clock_step)", { ...invalid(R.CLOCK, R.CLOCK_STEP) }, {}],
  ["[2020-09-20 08:08:20] loss=? (invalid: config)", { ...invalid(R.CONFIG), numbered: false }, {}],
  ["[2020-09-20 08:08:20] loss=? (invalid: duplicate_agent)", invalid(R.DUPLICATE_AGENT), {}],
  ["[2020-09-20 08:08:20] loss=5 (invalid: clock)", { ...invalid(R.CLOCK), lostPackets: 5n }, {}],
  ["[2020-09-20 08:08:20] loss=-3 (invalid: negative)", { ...invalid(R.NEGATIVE), lostPackets: -3n }, {}],
  [
    "[2020-09-20 08:08:20] loss=-3 (invalid: clock, negative)",
    { ...invalid(R.CLOCK, R.NEGATIVE), lostPackets: -3n },
    {},
  ],
  [
    "[2020-09-20 08:08:20] loss=2 (invalid: fragmented_on_path)",
    { ...invalid(R.FRAGMENTED_ON_PATH), lostPackets: 2n },
    {},
  ],
  ["[2020-09-20 08:08:20] loss=1", { lostPackets: 1n, flow: "other", reasons: [R.OVERFLOW] }, {}],
  ["[2020-09-20 08:08:20] loss=1 (revised)", { lostPackets: 1n, revision: 2 }, { revised: true }],
  ["[2020-09-20 08:08:20] loss=? (missing sink) (revised)", { verdict: V.MISSING_SINK }, { revised: true }],
  ["[2020-09-20 08:08:20] loss=0 path=default flow=voice", { flow: "voice" }, { named: true }],
  [
    '[2020-09-20 08:08:20] loss=0 (revised) path="a b" flow="x=1"',
    { path: "a b", flow: "x=1" },
    { named: true, revised: true },
  ],
  ["[2020-09-20 08:08:20.250] loss=0", { startNs: BigInt(start + 250) * 1_000_000n }, {}],
])("%s", (line, change, style) => {
  expect(formatLossLine(row(change), { ...plain, ...style })).toBe(line);
});

test("colour is for what is lost or unknown, and only when asked for", () => {
  const coloured = { ...plain, colour: true };
  expect(formatLossLine(row(), coloured)).not.toContain("\u001b");
  expect(formatLossLine(row({ lostPackets: 1n }), coloured)).toContain("\u001b[31mloss=1\u001b[0m");
  expect(formatLossLine(row({ verdict: V.MISSING_SINK, numbered: false }), coloured)).toContain(
    "\u001b[33mloss=?\u001b[0m",
  );
});
