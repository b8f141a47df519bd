import type { Report } from "@waymark/proto/report";

// Beyond any clock's error, and small enough that two of them add up.
const MAX_CLOCK_ERROR_NS = 2n ** 62n;

/**
 * The rows of a report: its header, then, on the first row only, its counters, then what the row tells. Each is an open
 * JSON array without its last value, the time of storing.
 *
 * @param arrivedNs when it reached the collector or the broker
 * @param clockOffsetNs the collector's clock minus the agent's
 * @param tails the values that follow, at least one
 */
export function headedRows(
  report: Report,
  arrivedNs: bigint,
  clockOffsetNs: bigint,
  tails: readonly string[],
): readonly string[] {
  const header = headerOf(report, arrivedNs, clockOffsetNs);
  const leading = `${header},true,${countersOf(report)},`;
  const following = `${header},false,{},`;
  return tails.map((tail, index) => (index === 0 ? leading : following) + tail);
}

function headerOf(report: Report, arrivedNs: bigint, clockOffsetNs: bigint): string {
  const { agent, clock } = report;
  const texts = [agent?.id, agent?.service, agent?.role, agent?.interface, agent?.host, agent?.version]
    .concat(report.bootId, report.kernelBootId)
    .map((text) => JSON.stringify(text ?? ""));
  const error = clock?.maxErrorNs ?? MAX_CLOCK_ERROR_NS;
  const estimated = clock?.estimatedErrorNs ?? MAX_CLOCK_ERROR_NS;
  return `[${[
    ...texts,
    report.sequence,
    report.sentAtNs,
    arrivedNs,
    clockOffsetNs,
    clock?.synchronised ?? false,
    clock?.trusted ?? false,
    error < MAX_CLOCK_ERROR_NS ? error : MAX_CLOCK_ERROR_NS,
    estimated < MAX_CLOCK_ERROR_NS ? estimated : MAX_CLOCK_ERROR_NS,
    clock?.taiOffsetS ?? 0,
  ].join(",")}`;
}

function countersOf(report: Report): string {
  const entries = Object.entries(report.counters);
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
}
