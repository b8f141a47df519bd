import { readdirSync, readFileSync } from "node:fs";
import { UnsupportedError } from "@waymark/agent";
import type { WallClock } from "@waymark/probe";

/** Daemons that keep the system clock by PTP (linuxptp). */
const PTP_DAEMONS = new Set(["ptp4l", "phc2sys"]);

/**
 * Checks what `--enforce-sync` and `--enforce-ptp` ask for.
 *
 * @throws UnsupportedError when the clock is not like that
 */
export function enforceClock(
  clock: Pick<WallClock, "health">,
  { enforceSync, enforcePtp }: { readonly enforceSync: boolean; readonly enforcePtp: boolean },
): void {
  if ((enforceSync || enforcePtp) && !clock.health().synchronised) {
    const option = enforceSync ? "--enforce-sync" : "--enforce-ptp";
    throw new UnsupportedError(
      `${option}: the kernel says that its clock is not synchronised; start chrony, ntpd or ptp4l, or leave the option out`,
    );
  }
  if (enforcePtp && !processNames().some((name) => PTP_DAEMONS.has(name))) {
    throw new UnsupportedError(
      "--enforce-ptp: neither ptp4l nor phc2sys runs here; start them, or leave the option out",
    );
  }
}

/** Names of the processes that this one sees. */
function processNames(): string[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/comm`, "utf8").trim()];
      } catch {
        return []; // it has ended
      }
    });
}
