/** Offloads by ethtool's short names; what is absent stays as it is. */
export interface Offloads {
  readonly rx?: boolean;
  readonly tx?: boolean;
  readonly sg?: boolean;
  readonly tso?: boolean;
  readonly gso?: boolean;
  readonly gro?: boolean;
  readonly rxvlan?: boolean;
  readonly txvlan?: boolean;
}

/** A wire of real segments: nothing is merged, split late, or left without a checksum. */
export const REAL_SEGMENTS: Offloads = { tx: false, tso: false, gso: false, gro: false };

/** Arguments of `ethtool -K DEVICE …`. */
export function ethtoolArguments(offloads: Offloads): string[] {
  return Object.entries(offloads).flatMap(([name, on]) => [name, on ? "on" : "off"]);
}
