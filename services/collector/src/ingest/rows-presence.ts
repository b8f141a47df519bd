import { type Presence, PresenceState } from "@waymark/proto/report";

/** One row per path. */
export function presenceRows({ state, intervalNs, atNs, paths }: Presence): readonly string[] {
  const joined = state === PresenceState.JOINED;
  return paths.map(({ path, ruleHash, flows }) =>
    [JSON.stringify(path), intervalNs, atNs, joined, ruleHash, JSON.stringify(flows)].join(","),
  );
}
