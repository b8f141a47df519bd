import { HostNames } from "./host-names.ts";
import { LiveView, stdinKeyboard, stdoutScreen } from "./live-view.ts";
import { PlainReporter, type Reporter, type ReportOptions } from "./reporter.ts";
import type { Names } from "./row-text.ts";
import type { ByteKind, SortKey } from "./rows.ts";
import { ServiceNames } from "./service-names.ts";
import type { Timeline } from "./timeline.ts";

/** The command line's part of the output. */
export interface OutputOptions {
  readonly intervalTotals: boolean;
  readonly top: number | undefined;
  readonly sort: SortKey;
  readonly bytes: ByteKind;
  readonly biflow: boolean;
  readonly dedup: boolean;
  readonly connections: boolean;
  readonly names: "ports" | "hosts" | "all" | undefined;
  readonly plain: boolean;
  readonly format: "text" | "jsonl";
}

/**
 * The view on a terminal, or the printer of tables or lines.
 * @param onQuit called when the user wants the end
 */
export function openReporter(
  options: OutputOptions,
  devices: readonly string[],
  timeline: Pick<Timeline, "wallNs">,
  onQuit: () => void,
): Reporter {
  const { connections, format, intervalTotals, top, sort, bytes, biflow, dedup } = options;
  const text = connections ? "connections" : "table";
  const report: ReportOptions = {
    format: format === "jsonl" ? "jsonl" : text,
    ...{ intervalTotals, top, sort, bytes, biflow, dedup },
    manyDevices: devices.length > 1,
    names: namesOf(options.names),
    wallNs: timeline.wallNs,
  };
  if (!process.stdout.isTTY || options.plain || format === "jsonl") {
    return new PlainReporter(report, (lines) => void process.stdout.write(lines));
  }
  return new LiveView({
    report,
    title: devices.join(", "),
    screen: stdoutScreen(),
    keyboard: stdinKeyboard(),
    styled: !process.env["NO_COLOR"],
    onQuit,
  });
}

function namesOf(wanted: OutputOptions["names"]): Names | undefined {
  if (wanted === undefined) return undefined;
  const ports = wanted === "hosts" ? undefined : ServiceNames.ofHost();
  const hosts = wanted === "ports" ? undefined : new HostNames();
  return {
    host: (address) => hosts?.host(address),
    port: (port, protocol) => ports?.port(port, protocol),
  };
}
