import { type Presence, PresenceState } from "@waymark/proto/report";
import { validateFlowName, validateInterval, validatePathName, validateTime } from "./fields.ts";
import { check } from "./refusal.ts";

const MAX_PRESENCE_PATHS = 1024;
const MAX_PRESENCE_FLOWS = 65_536;

/** @throws Refusal with the first thing that cannot be true */
export function validatePresence(presence: Presence, nowNs: bigint): void {
  const { state, paths } = presence;
  const known = state === PresenceState.JOINED || state === PresenceState.LEFT;
  check(known, "presence", `presence state ${state} is unknown`);
  validateInterval(presence.intervalNs);
  validateTime("at_ns", presence.atNs, nowNs);
  const counted = paths.length >= 1 && paths.length <= MAX_PRESENCE_PATHS;
  check(counted, "presence", `${paths.length} paths are not 1 to ${MAX_PRESENCE_PATHS}`);
  for (const path of paths) {
    validatePathName(path.path);
    check(path.flows.length <= MAX_PRESENCE_FLOWS, "presence", `${path.flows.length} flows are too many`);
    for (const flow of path.flows) validateFlowName(flow);
  }
}
