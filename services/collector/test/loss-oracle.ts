import { LossReason as R, LossVerdict as V } from "@waymark/proto/query";
import type { LossRow } from "../src/verdict.ts";
import type { BlockFacts, Fact, PresenceFacts } from "./history.ts";

// The loss rule a second time, slow and simple, written against the contract and not against the SQL.

const NEVER = 2n ** 64n - 1n;
const TEN_SECONDS = 10_000_000_000n;

interface Member {
  readonly role: string;
  readonly name: string;
  readonly records: readonly BlockFacts[];
  readonly announcedNs: bigint;
  readonly goneNs: bigint;
  readonly reportedNs: bigint;
  readonly twinned: boolean;
}

const identity = (f: Fact) => `${f.role}/${f.id}/${f.interface}`;
const unique = <T>(items: readonly T[]) => [...new Set(items)];
const min = (items: readonly bigint[]) => items.reduce((a, b) => (b < a ? b : a));
const max = (items: readonly bigint[]) => items.reduce((a, b) => (b > a ? b : a));
const abs = (value: bigint) => (value < 0n ? -value : value);
const sum = (items: readonly bigint[]) => items.reduce((a, b) => a + b, 0n);
const startOf = (b: BlockFacts) => b.blockNumber * b.intervalNs;
const endOf = (b: BlockFacts) => startOf(b) + b.intervalNs;

/** What the loss view has to answer for one path as of `nowNs`, all blocks, in order of start, interval and flow. */
export function expectedLoss(facts: readonly Fact[], path: string, nowNs: bigint): LossRow[] {
  const own = facts.filter((fact) => fact.path === path);
  const blocks = own.filter((fact) => fact.kind === "block");
  const presences = own.filter((fact) => fact.kind === "presence");
  const names = unique(blocks.map((b) => `${b.intervalNs}/${b.blockNumber}`));
  const rows = names.flatMap((name) => {
    const [intervalNs, blockNumber] = name.split("/").map(BigInt) as [bigint, bigint];
    return judge(blocks, presences, intervalNs, blockNumber, nowNs);
  });
  const order = (a: LossRow, b: LossRow) =>
    a.startNs !== b.startNs
      ? Number(a.startNs - b.startNs)
      : a.intervalNs !== b.intervalNs
        ? Number(a.intervalNs - b.intervalNs)
        : a.flow < b.flow
          ? -1
          : 1;
  return rows.sort(order);
}

function judge(
  all: readonly BlockFacts[],
  presences: readonly PresenceFacts[],
  intervalNs: bigint,
  blockNumber: bigint,
  nowNs: bigint,
): LossRow[] {
  const startNs = intervalNs * blockNumber;
  const endNs = startNs + intervalNs;
  const records = all.filter((b) => b.intervalNs === intervalNs && b.blockNumber === blockNumber);
  const members = membersOf(all, presences, intervalNs, blockNumber);
  const longWait = 2n * intervalNs > TEN_SECONDS ? 2n * intervalNs : TEN_SECONDS;
  const deadlineNs = endNs + intervalNs / 2n + longWait;

  const settled = (t: bigint) =>
    members.every((m) => m.announcedNs > t || m.goneNs <= t || m.reportedNs <= t) &&
    members.some((m) => m.role === "source" && m.reportedNs <= t) &&
    members.some((m) => m.role === "sink" && m.reportedNs <= t);
  const times = members.flatMap((m) => [m.goneNs, m.reportedNs]);
  const decidedNs = min([deadlineNs, ...times.filter(settled)]);
  const pending = nowNs < decidedNs;
  const reports = unique(records.map((r) => `${r.boot}/${r.sequence}/${r.storedNs}`));
  const reportTimes = reports.map((name) => BigInt(name.split("/")[2]!));
  const announcements = members.map((m) => m.announcedNs).filter((t) => !reportTimes.includes(t));
  const late = [...reportTimes, ...announcements].filter((t) => t > decidedNs);
  const revision = pending ? 0 : 1 + late.length;
  const changedNs = pending ? 0n : max([decidedNs, ...late]);

  const reported = (role: string) => members.some((m) => m.role === role && m.reportedNs !== NEVER);
  const awaited = (role: string) =>
    members.some((m) => m.role === role && m.goneNs === NEVER && m.reportedNs === NEVER);
  const bothSides = reported("source") && reported("sink");
  const whole = bothSides && !awaited("source") && !awaited("sink");
  const conflicting = all.some((b) => {
    const fromNs = b.fromNs > startOf(b) ? b.fromNs : startOf(b);
    const toNs = b.toNs < endOf(b) ? b.toNs : endOf(b);
    return b.intervalNs !== intervalNs && fromNs < toNs && fromNs < endNs && toNs > startNs;
  });
  let verdict: V;
  if (pending) verdict = V.PENDING;
  else if (whole) verdict = V.COMPLETE;
  else if (conflicting) verdict = V.INVALID;
  else if (!reported("source")) verdict = V.MISSING_SOURCE;
  else if (!reported("sink")) verdict = V.MISSING_SINK;
  else verdict = awaited("source") ? V.MISSING_SOURCE : V.MISSING_SINK;

  const faults = whole ? faultsOf(all, records, members, startNs, endNs, conflicting) : conflicting ? [R.CONFIG] : [];
  const agents = unique(records.map((r) => r.id)).sort();
  const flows = flowsOf(records, bothSides);
  const fragmented =
    records.some((r) => r.role === "sink" && r.unmatched > 0n) ||
    flows.some((f) => f.receivedFragments > f.sentFragments);
  return flows.map((f) => {
    const difference = f.sent - f.received;
    const own = [...faults];
    if (whole && difference < 0n) own.push(R.NEGATIVE);
    if (whole && fragmented) own.push(R.FRAGMENTED_ON_PATH);
    const final = verdict === V.COMPLETE && own.length > 0 ? V.INVALID : verdict;
    const decided = final === V.COMPLETE || final === V.INVALID;
    const overflow = records.some((r) => r.overflowed) && f.flow === "other" ? [R.OVERFLOW] : [];
    const numbered = decided && whole && !own.includes(R.PATH_UNCONFIRMED);
    return {
      path: records[0]!.path,
      flow: f.flow,
      intervalNs,
      blockNumber,
      startNs,
      sentPackets: f.sent,
      receivedPackets: f.received,
      lostPackets: numbered ? difference : 0n,
      sentL3Bytes: f.sentBytes,
      receivedL3Bytes: f.receivedBytes,
      lossRatio: numbered && f.sent > 0n ? Number(difference) / Number(f.sent) : 0,
      verdict: final,
      reasons: decided ? [...own, ...overflow].sort((a, b) => a - b) : [],
      revision,
      numbered,
      agents,
      deadlineNs,
      changedNs,
    };
  });
}

function membersOf(
  all: readonly BlockFacts[],
  presences: readonly PresenceFacts[],
  intervalNs: bigint,
  blockNumber: bigint,
): Member[] {
  const startNs = intervalNs * blockNumber;
  const recent = (number: bigint) => number <= blockNumber && number >= blockNumber - 3n;
  const announcements: Fact[] = [
    ...all.filter((b) => b.intervalNs === intervalNs && recent(b.blockNumber)),
    ...presences.filter((p) => p.joined && p.intervalNs === intervalNs && recent(p.atNs / intervalNs)),
  ];
  return unique(announcements.map(identity)).map((name) => {
    const announced = announcements.filter((fact) => identity(fact) === name);
    const boots = unique(announced.map((fact) => fact.boot));
    const gone = boots.map((boot) => {
      const left = presences.filter((p) => !p.joined && identity(p) === name && p.boot === boot);
      if (left.length === 0 || min(left.map((p) => p.atNs)) > startNs) return NEVER;
      return min(left.map((p) => p.storedNs));
    });
    const records = all.filter(
      (b) => identity(b) === name && b.intervalNs === intervalNs && b.blockNumber === blockNumber,
    );
    return {
      role: announced[0]!.role,
      name,
      records,
      announcedNs: min(announced.map((fact) => fact.storedNs)),
      goneNs: max(gone),
      reportedNs: reportedAt(records),
      twinned: twinned(announced),
    };
  });
}

// Two boots watched at the same time, as far as this block's and the three blocks' before records and JOINEDs tell.
function twinned(announced: readonly Fact[]): boolean {
  const numberOf = (f: Fact) => (f.kind === "block" ? f.blockNumber : f.atNs / f.intervalNs);
  return unique(announced.map(numberOf)).some((number) => {
    const own = announced.filter((f) => numberOf(f) === number);
    const spans = own
      .filter((f) => f.kind === "presence")
      .map((f) => ({ boot: f.boot, stepped: false, span: [f.atNs, f.atNs + 1n] as const }));
    const records = own.filter((f) => f.kind === "block");
    for (const boot of unique(records.map((r) => r.boot))) {
      const parts = records.filter((r) => r.boot === boot);
      const span = [min(parts.map((r) => r.fromNs)), max(parts.map((r) => r.toNs))] as const;
      spans.push({ boot, stepped: parts.some((r) => r.stepped), span });
    }
    const honest = spans.filter(({ stepped }) => !stepped);
    return honest.some((a) => honest.some((b) => a.boot !== b.boot && overlap([a.span, b.span])));
  });
}

// When every boot that said anything had said all its parts.
function reportedAt(records: readonly BlockFacts[]): bigint {
  if (records.length === 0) return NEVER;
  const times = unique(records.map((r) => r.boot)).flatMap((boot) => {
    const own = records.filter((r) => r.boot === boot);
    const parts = unique(own.map((r) => r.part));
    if (parts.length !== Math.max(...own.map((r) => r.parts))) return [NEVER];
    return parts.map((part) => min(own.filter((r) => r.part === part).map((r) => r.storedNs)));
  });
  return max(times);
}

function faultsOf(
  all: readonly BlockFacts[],
  records: readonly BlockFacts[],
  members: readonly Member[],
  startNs: bigint,
  endNs: bigint,
  conflicting: boolean,
): R[] {
  const faults: R[] = [];
  const counted = members.filter((m) => m.records.length > 0);
  if (counted.some((m) => !covers(m, startNs, endNs))) faults.push(R.COVERAGE);
  if (records.some((r) => r.flows.some((f) => f.outOfGuard > 0n))) faults.push(R.GUARD_BAND);
  if (clocksDiffer(records)) faults.push(R.CLOCK);
  const spans = counted.map((m) => spansOf(m));
  if (records.some((r) => r.stepped)) faults.push(R.CLOCK_STEP);
  if (unique(records.map((r) => r.ruleHash)).length > 1 || conflicting) faults.push(R.CONFIG);
  const since = max(counted.map((m) => min(all.filter((b) => identity(b) === m.name).map(startOf))));
  const seen = all.some(
    (b) => b.role === "sink" && startOf(b) >= since && startOf(b) <= startNs && b.flows.some((f) => f.packets > 0n),
  );
  if (!seen) faults.push(R.PATH_UNCONFIRMED);
  const twice = spans.some((s) => s.filter(([from, to]) => from <= startNs && to >= endNs).length > 1);
  const parts = records.map((r) => `${identity(r)}/${r.boot}/${r.part}`);
  if (twice || counted.some((m) => m.twinned) || unique(parts).length < parts.length) faults.push(R.DUPLICATE_AGENT);
  return faults;
}

// Every nanosecond between two edges is watched or not as a whole, so it is enough to look between the edges.
function covers(member: Member, startNs: bigint, endNs: bigint): boolean {
  const bandNs = member.role === "sink" ? max(member.records.map((r) => r.guardNs)) : 0n;
  const [firstNs, lastNs] = [startNs - bandNs, endNs + bandNs];
  const edges = [firstNs, lastNs, ...member.records.flatMap((r) => [r.fromNs, r.toNs])]
    .filter((edge) => edge >= firstNs && edge <= lastNs)
    .sort((a, b) => Number(a - b));
  return edges
    .slice(1)
    .every((edge, i) => edge === edges[i] || member.records.some((r) => r.fromNs <= edges[i]! && r.toNs >= edge));
}

function spansOf(member: Member): (readonly [bigint, bigint])[] {
  return unique(member.records.map((r) => r.boot)).map((boot) => {
    const own = member.records.filter((r) => r.boot === boot);
    return [min(own.map((r) => r.fromNs)), max(own.map((r) => r.toNs))] as const;
  });
}

function overlap(spans: readonly (readonly [bigint, bigint])[]): boolean {
  return spans.some((a, i) => spans.some((b, j) => j > i && a[0] < b[1] && b[0] < a[1]));
}

function clocksDiffer(records: readonly BlockFacts[]): boolean {
  const sources = records.filter((r) => r.role === "source");
  const sinks = records.filter((r) => r.role === "sink");
  return sources.some((s) =>
    sinks.some((k) => {
      if (s.kernel !== "" && s.kernel === k.kernel) return false;
      const guardNs = s.guardNs < k.guardNs ? s.guardNs : k.guardNs;
      const known = [s, k].every((r) => r.synchronised || r.trusted);
      const errorNs = sum([s, k].map((r) => (r.trusted ? 0n : r.maxErrorNs)));
      return !known || errorNs > guardNs || abs(s.offsetNs) > guardNs || abs(k.offsetNs) > guardNs;
    }),
  );
}

function flowsOf(records: readonly BlockFacts[], bothSides: boolean) {
  const overflowed = unique(records.filter((r) => r.overflowed).map(identity));
  const overflowing = bothSides && overflowed.length > 0;
  const names = unique(records.flatMap((r) => r.flows.map((f) => f.flow)));
  const carries = (name: string, test: (r: BlockFacts) => boolean) =>
    records.some((r) => test(r) && r.flows.some((f) => f.flow === name));
  const target = (name: string) => {
    if (!overflowing) return name;
    const sides = carries(name, (r) => r.role === "source") && carries(name, (r) => r.role === "sink");
    const full = overflowed.every((agent) => carries(name, (r) => identity(r) === agent));
    return sides && full ? name : "other";
  };
  const sumOf = (role: string, test: (name: string) => boolean, pick: (f: BlockFacts["flows"][number]) => bigint) =>
    sum(records.filter((r) => r.role === role).flatMap((r) => r.flows.filter((f) => test(f.flow)).map(pick)));
  const lost = (test: (name: string) => boolean) =>
    sumOf("source", test, (f) => f.packets) - sumOf("sink", test, (f) => f.packets);
  // A table that was full for a part of the block has a flow's packets in two places.
  const split = (name: string) => (target(name) === name && lost((n) => n === name) < 0n ? "other" : target(name));
  const surplus = lost((name) => (overflowing ? split(name) : name) === "other") < 0n;
  const place = (name: string) => {
    if (!overflowing) return name;
    return surplus && lost((n) => n === name) > 0n ? "other" : split(name);
  };
  return unique(names.map(place)).map((flow) => {
    const of = (role: string, pick: (f: BlockFacts["flows"][number]) => bigint) =>
      sumOf(role, (name) => place(name) === flow, pick);
    return {
      flow,
      sent: of("source", (f) => f.packets),
      received: of("sink", (f) => f.packets),
      sentBytes: of("source", (f) => f.l3Bytes),
      receivedBytes: of("sink", (f) => f.l3Bytes),
      sentFragments: of("source", (f) => f.fragments),
      receivedFragments: of("sink", (f) => f.fragments),
    };
  });
}
