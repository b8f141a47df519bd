import { s64, u32, u64, viewOf } from "./codec.ts";

/** Fields of `struct __sk_buff` that a test run takes; others must be zero, says the kernel. */
export interface SkbInput {
  readonly mark?: number;
  readonly priority?: number;
  readonly ifindex?: number;
  readonly ingress_ifindex?: number;
  /** Nanoseconds. */
  readonly tstamp?: bigint;
  readonly wire_len?: number;
  /** Wire packets of a super-packet. */
  readonly gso_segs?: number;
  /** Payload octets of one segment. */
  readonly gso_size?: number;
}

/** What the fields are after a test run. */
export interface SkbOutput extends Required<SkbInput> {
  readonly len: number;
  /** Network order, as the kernel has it. */
  readonly protocol: number;
  readonly vlan_present: number;
  readonly vlan_tci: number;
  readonly vlan_proto: number;
}

/** Octets of `struct __sk_buff`. */
export const SKB_BYTES = 192;

const OFFSETS = {
  len: 0,
  mark: 8,
  protocol: 16,
  vlan_present: 20,
  vlan_tci: 24,
  vlan_proto: 28,
  priority: 32,
  ingress_ifindex: 36,
  ifindex: 40,
  wire_len: 160,
  gso_segs: 164,
  gso_size: 176,
} as const;
const TSTAMP = 152;

/** The context of a test run. @throws TypeError for a field that the kernel does not take */
export function encodeSkb(input: SkbInput): Uint8Array {
  const bytes = new Uint8Array(SKB_BYTES);
  const view = viewOf(bytes);
  const { tstamp, ...words } = input;
  if (tstamp !== undefined) u64.encode(view, TSTAMP, tstamp, "tstamp");
  for (const [name, value] of Object.entries(words)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(OFFSETS, name)) throw new TypeError(`a test run takes no ${name}`);
    u32.encode(view, OFFSETS[name as keyof typeof OFFSETS], value, name);
  }
  return bytes;
}

/** Reads the context that a test run answered. */
export function decodeSkb(bytes: Uint8Array): SkbOutput {
  const view = viewOf(bytes);
  const words = Object.entries(OFFSETS).map(([name, at]) => [name, u32.decode(view, at)]);
  return { ...Object.fromEntries(words), tstamp: s64.decode(view, TSTAMP) } as SkbOutput;
}
