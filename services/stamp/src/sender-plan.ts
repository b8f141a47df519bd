import { CommandError } from "@waymark/agent";
import type { WallClock } from "@waymark/probe";
import type { RequestTlv } from "./codec/request-tlv.ts";
import type { SenderOptions } from "./options.ts";
import type { OwnClock } from "./test-session.ts";
import { parseTlvOption } from "./tlv-option.ts";
import { taiOffset } from "./wire-clock.ts";

/** Room for packets that are waited for: bursts of a Poisson schedule, and late answers. */
const ROOM = 4;
const FEWEST = 1024;
const MOST = 65_536;

/** Packets of a session that may be under way: a power of two. */
export function windowOf({ wait, interval }: Pick<SenderOptions, "wait" | "interval">): number {
  const wanted = Number(wait / interval + 1n) * ROOM;
  return Math.min(MOST, 2 ** Math.ceil(Math.log2(Math.max(FEWEST, wanted))));
}

/** The TLVs that were asked for, Extra Padding last. @throws CommandError for those that do not go together */
export function tlvsOf({ tlv, padding, ssid }: Pick<SenderOptions, "tlv" | "padding" | "ssid">): readonly RequestTlv[] {
  const tlvs = tlv.map((text) => {
    const result = parseTlvOption(text);
    if (!result.ok) throw new CommandError(`--tlv "${text}": ${result.reason}`);
    return result.tlv;
  });
  for (const [index, { kind }] of tlvs.entries()) {
    if (tlvs.findIndex((other) => other.kind === kind) < index) throw new CommandError(`--tlv ${tlv[index]}: twice`);
  }
  if (ssid === 0 && tlvs.some(({ kind }) => kind === "destination-address")) {
    throw new CommandError("--tlv destination-address=… needs an --ssid (RFC 9503 section 3)");
  }
  return padding === undefined ? tlvs : [...tlvs, { kind: "extra-padding", content: new Uint8Array(padding) }];
}

/** The clock of this side. */
export function ownClock(clock: WallClock, options: SenderOptions): OwnClock {
  const { synchronised, maxErrorNs } = clock.health();
  return {
    synchronised: synchronised || options.trustClock,
    errorNs: maxErrorNs,
    format: options.timestamps,
    taiOffsetS: taiOffset(clock, options.taiOffset),
  };
}

/** @throws CommandError for options that contradict each other */
export function checkOptions(options: SenderOptions): void {
  tlvsOf(options);
  if (options.host.length === 0) throw new CommandError("no host to send to: stamp sender DEV HOST…");
}
