import type { Report } from "@waymark/proto/report";

/** Which report it is: contiguous sequences per agent, boot and kind. */
export interface ReportKey {
  readonly agent: string;
  readonly service: string;
  readonly role: string;
  readonly interface: string;
  readonly bootId: string;
  /** The payload's field name; empty when it is unknown. */
  readonly kind: string;
  readonly sequence: bigint;
}

/** The key of a report that has been decoded, valid or not. */
export function reportKey(report: Report): ReportKey {
  return {
    agent: report.agent?.id ?? "",
    service: report.agent?.service ?? "",
    role: report.agent?.role ?? "",
    interface: report.agent?.interface ?? "",
    bootId: report.bootId,
    kind: report.payload.case ?? "",
    sequence: report.sequence,
  };
}

/** One text for one boot of one agent. */
export function bootName(key: Omit<ReportKey, "kind" | "sequence">): string {
  return [key.agent, key.service, key.role, key.interface, key.bootId].join("\u0000");
}
