import { BpfObject, type OpenBpfObject } from "@waymark/bpf-runtime";
import { type Cidr, parseAddress } from "@waymark/packet";
import { StampReflectorCount, stampReflectorSpec } from "../bpf/stamp_reflector.gen.ts";
import type { HmacState } from "./codec/hmac-state.ts";
import type { TimeFormat } from "./codec/time-stamp.ts";

/** What the reflector's programs are told before they are loaded. */
export interface ReflectorKernelConfig {
  /** Octets before the IP header. */
  readonly l2Length: number;
  readonly ifindex: number;
  readonly port: number;
  readonly authenticated: boolean;
  readonly stateful: boolean;
  /** Sessions of a stateful reflector at the most. */
  readonly sessions: number;
  /** Sources that are answered; empty: all. */
  readonly allowed: readonly Cidr[];
  /** Requests of a source a second that are answered; 0: all. */
  readonly ratePerSecond: number;
  readonly viaStack: boolean;
  /** The filters may outlive their process. */
  readonly leased: boolean;
  readonly format: TimeFormat;
  /** DSCP of answers; undefined: the request's. */
  readonly dscp: number | undefined;
  /** Answers carry the request's ECN. */
  readonly copyEcn: boolean;
  /** Tell user space of every request that is answered. */
  readonly observe: boolean;
  /** By which egress knows answers; not 0. */
  readonly mark: number;
  /** By which it knows those that a socket sends: 64 bits in the place of T3. */
  readonly cookie: bigint;
}

/** The loaded programs of a reflector. */
export type ReflectorObject = BpfObject<typeof stampReflectorSpec>;

/** `dscp` of the programs that says: the request's. */
const COPY = 0xff;
/** How much too early a request may be at its source's rate: jitter, and as much in one go. */
const BURST_NS = 100_000_000n;
/** The key of every SSID without one of its own (hmac.bpf.h). */
export const ANY_SSID = 0x10000;
/** Of a prefix, before an address: its version; before one of IPv4: what maps it. */
const [VERSION_BITS, V4_BITS] = [32, 96];
/** STAMP_FEW_OWN */
const FEW_OWN = 4;
/** STAMP_MAX_OWN */
export const MAX_OWN = 256;

/** Sets the constants and the size of `sessions` of programs that are not loaded yet. */
export function configureReflector(
  open: Pick<OpenBpfObject<typeof stampReflectorSpec>, "rodata" | "map">,
  config: ReflectorKernelConfig,
): void {
  const { ratePerSecond } = config;
  const gapNs = ratePerSecond > 0 ? BigInt(Math.ceil(1e9 / ratePerSecond)) : 0n;
  open.rodata.set({
    config: {
      cookie: config.cookie,
      rate_gap_ns: gapNs,
      rate_burst_ns: BURST_NS,
      l2_length: config.l2Length,
      mark: config.mark,
      ifindex: config.ifindex,
      port: config.port,
      authenticated: config.authenticated ? 1 : 0,
      stateful: config.stateful ? 1 : 0,
      restricted: config.allowed.length > 0 ? 1 : 0,
      via_stack: config.viaStack ? 1 : 0,
      leased: config.leased ? 1 : 0,
      ptp: config.format === "ptp" ? 1 : 0,
      dscp: config.dscp ?? COPY,
      copy_ecn: config.copyEcn ? 1 : 0,
      observe: config.observe ? 1 : 0,
    },
  });
  open.map("sessions").setMaxEntries(config.sessions);
}

/** Loads the programs; they are not attached. @throws BpfError */
export function loadReflector(config: ReflectorKernelConfig): ReflectorObject {
  using open = BpfObject.open(stampReflectorSpec);
  configureReflector(open, config);
  const object = open.load();
  for (const { family, address, prefixLength } of config.allowed) {
    const bits = VERSION_BITS + (family === 4 ? V4_BITS : 0) + prefixLength;
    object.map("allowed").set({ bits, version: family, address }, 1);
  }
  return object;
}

/**
 * Makes these, or the first {@link MAX_OWN} of them, the addresses that are answered for. Text, as netlink has them.
 *
 * @returns how many had to be left out
 */
export function setOwnAddresses(object: Pick<ReflectorObject, "map" | "data">, addresses: readonly string[]): number {
  const own = object.map("own_addresses");
  const all = new Map(
    addresses.flatMap((text) => {
      const address = parseAddress(text);
      return address ? [[Buffer.from(address).toString("hex"), address]] : [];
    }),
  );
  const wanted = new Map([...all].slice(0, MAX_OWN));
  const words = [...wanted.values()].slice(0, FEW_OWN).flatMap((address) => {
    const view = Buffer.from(address);
    return [view.readBigUInt64LE(0), view.readBigUInt64LE(8)];
  });
  object.data.set({ few_own: { words: Array.from({ length: 2 * FEW_OWN }, (_, i) => words[i] ?? 0n) } });
  for (const known of [...own.keys()]) if (!wanted.delete(Buffer.from(known).toString("hex"))) own.delete(known);
  for (const address of wanted.values()) own.set(address, 1);
  return Math.max(0, all.size - MAX_OWN);
}

/** Keys by SSID as the programs take them, each replaced as a whole; those that are not there any more are removed. */
export function setKeys(object: Pick<ReflectorObject, "map">, states: ReadonlyMap<number, HmacState>): void {
  const keys = object.map("keys");
  // First what goes: the map has no room for all keys of before and after.
  for (const ssid of [...keys.keys()]) if (!states.has(ssid)) keys.delete(ssid);
  for (const [ssid, { inner, outer }] of states) keys.set(ssid, { inner: [...inner], outer: [...outer] });
}

/** What became of the packets, by reason. */
export function reflectorCounters(object: ReflectorObject): Record<string, bigint> {
  const counts = object.map("counts");
  return Object.fromEntries(
    Object.entries(StampReflectorCount).flatMap(([name, index]) =>
      name === "STAMP_REFLECTOR_COUNTS" ? [] : [[name.slice("STAMP_".length).toLowerCase(), counts.sum(index) ?? 0n]],
    ),
  );
}

/** Stamp's own programs, which take nothing away that is not theirs: they may run in any order. */
export const STAMP_PROGRAMS: readonly string[] = ["stamp_reflect", "stamp_answer", "stamp_send", "stamp_collect"];
