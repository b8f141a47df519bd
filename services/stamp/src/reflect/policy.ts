import type { Address } from "@waymark/packet";
import type { Mode } from "../codec/mode.ts";

/** What a reflector is willing to do. */
export interface ReflectorPolicy {
  readonly mode: Mode;
  /** The key of a session. Undefined: there is none; authenticated requests are then not answered. */
  key(ssid: number): Uint8Array | undefined;
  /** Is this an address of the reflector (Destination Node Address TLV)? */
  isOwnAddress(address: Address): boolean;
  /** May answers go there instead of to the sender (Return Address)? Whoever may be named here can be made to get packets. */
  isReturnAddressAllowed(address: Address): boolean;
  /** May an answer carry this DSCP (Class of Service TLV)? */
  isDscpAllowed(dscp: number): boolean;
  /** DSCP of answers to requests that do not ask for one, 0–63; `copy`: the request's. */
  readonly dscp: number | "copy";
  /** ECN of answers: the request's, or Not-ECT. */
  readonly copyEcn: boolean;
  /** Whether a Location TLV is told ports and addresses, and the source MAC address; what is not told is zero. */
  readonly tellsLocation: boolean;
  readonly tellsMac: boolean;
}

/** Answers everybody who asks by no more than they showed; sends to nobody else. */
export const CAUTIOUS_POLICY: ReflectorPolicy = {
  mode: "unauthenticated",
  key: () => undefined,
  isOwnAddress: () => false,
  isReturnAddressAllowed: () => false,
  isDscpAllowed: () => true,
  dscp: "copy",
  copyEcn: false,
  tellsLocation: true,
  tellsMac: true,
};
