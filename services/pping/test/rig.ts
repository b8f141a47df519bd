import { BpfObject, type BpfRingBuffer, type SkbInput } from "@waymark/bpf-runtime";
import { buildPacket, type PacketSpec, TCP_FLAG, type TcpOption } from "@waymark/packet";
import {
  type PpingDirection,
  type PpingEvent,
  type PpingFlow,
  PpingHappening,
  PpingReason,
  type PpingTotals,
  ppingSpec,
} from "../bpf/pping.gen.ts";
import { type MeasurementOptions, measurementOf } from "../src/config.ts";
import { configure } from "../src/kernel-config.ts";
import type { News } from "../src/news.ts";
import { NewsReader } from "../src/news-reader.ts";

/** TC_ACT_UNSPEC and XDP_PASS: the packet goes on. */
const NEUTRAL = { pping_egress: -1, pping_ingress: -1, pping_xdp: 2 } as const;

/** Where a packet is seen. */
export type Hook = keyof typeof NEUTRAL;

/** Everything off, and small. */
export const NONE: MeasurementOptions = {
  rateLimit: 0n,
  rttRate: 0,
  rttType: "min",
  cleanupInterval: 1_000_000_000n,
  format: "standard",
  ingressHook: "tc",
  xdpMode: "native",
  tcp: false,
  icmp: false,
  sequence: false,
  handshake: false,
  dns: false,
  quic: false,
  includeLocal: true,
  includeSyn: true,
  aggregate: undefined,
  aggregateSubnetsV4: 24,
  aggregateSubnetsV6: 48,
  aggregateReverse: false,
  aggregateTimeout: 0n,
  interval: 10_000_000_000n,
  flows: 1024,
  stamps: 1024,
  prefixes: 16,
};

type RigOptions = Partial<MeasurementOptions> & { readonly l2Length?: number };

/** Everything that goes together; fewer kinds of programs are sooner loaded. */
export const ALL = { tcp: true, icmp: true, dns: true, quic: true } as const;

/** Loaded programs by their options: to load them takes an emulated machine seconds. */
const loaded = new Map<string, { object: BpfObject<typeof ppingSpec>; ring: BpfRingBuffer<PpingEvent> }>();

function load(options: RigOptions) {
  const measurement = measurementOf({ ...NONE, ...options });
  const parts = [measurement, options.l2Length];
  const key = JSON.stringify(parts, (_name, value) => (typeof value === "bigint" ? String(value) : value));
  const known = loaded.get(key);
  if (known !== undefined) return known;
  using open = BpfObject.open(ppingSpec);
  configure(open, measurement, options.l2Length ?? 14);
  const object = open.load();
  const made = { object, ring: object.ringBuffer("events") };
  loaded.set(key, made);
  return made;
}

/** Frees all programs; for the end of a file of tests. */
export function closeRigs(): void {
  for (const { object } of loaded.values()) object.close();
  loaded.clear();
}

/** The packet programs, loaded but not attached, with empty tables. One at a time with the same options. */
export class Rig implements Disposable {
  readonly object: BpfObject<typeof ppingSpec>;
  readonly options: RigOptions;
  readonly #reader = new NewsReader(1024);
  readonly #ring: BpfRingBuffer<PpingEvent>;

  constructor(options: RigOptions = {}) {
    const { object, ring } = load(options);
    this.options = options;
    this.object = object;
    this.#ring = ring;
    this.tick();
  }

  /** Sends a packet through a program; it must come out as it was, with a neutral verdict. */
  see(hook: Hook, data: Uint8Array, ctx?: SkbInput): void {
    const isXdp = hook === "pping_xdp";
    const result = this.object.program(hook).testRun({ data, ...(ctx && !isXdp && { ctx }) });
    expect(result.retval).toBe(NEUTRAL[hook]);
    // Not toEqual: it takes a millisecond for a packet.
    if (Buffer.compare(result.data, data) !== 0) throw new Error(`${hook} changed the packet`);
  }

  /** Everything that was told since the last time. */
  news(): News[] {
    const all: News[] = [];
    for (let batch = this.#ring.read(); batch; batch = this.#ring.read()) all.push(...this.#reader.read(batch, 0n));
    return all;
  }

  /** The same as kernel records. */
  records(): PpingEvent[] {
    return Array.from(this.#ring.read() ?? []);
  }

  /** What was told, in short: `rtt tcp_timestamp 10.0.0.2:80+10.0.0.1:4000`, `opening SYN dest …`. */
  told(): string[] {
    return this.news().map((news) => {
      if (news.kind === "removed") return `removed ${news.flow.text}`;
      if (news.kind === "rtt") return `rtt ${news.method} ${news.flow.text}${news.local ? " local" : ""}`;
      return `${news.kind} ${news.reason} ${news.triggeredBy} ${news.flow.text}`;
    });
  }

  /** Counters that are not 0: packets by reason, and happenings. */
  counters(): Record<string, number> {
    const totals = this.object.map("totals").sum(0);
    if (totals === undefined) throw new Error("no totals");
    const named = (names: Readonly<Record<string, number>>, counts: readonly bigint[]) =>
      Object.entries(names).flatMap(([name, i]) =>
        counts[i] ? [[name.replace("PPING_", ""), Number(counts[i])]] : [],
      );
    return Object.fromEntries([
      ...named(PpingReason, totals.packets),
      ...named(PpingHappening, totals.happenings),
    ]) as Record<string, number>;
  }

  /** The only flow there is. */
  flow(): PpingFlow {
    const [[, flow] = [], ...more] = this.object.map("flows").entries();
    if (flow === undefined || more.length > 0) throw new Error(`${more.length + (flow ? 1 : 0)} flows`);
    return flow;
  }

  /** Its direction that sent more octets of payload than the other. */
  busier(): PpingDirection {
    const [a, b] = this.flow().direction as [PpingDirection, PpingDirection];
    return a.payload_bytes >= b.payload_bytes ? a : b;
  }

  tick(): void {
    this.object.program("pping_sweep_flows").testRun({ data: new Uint8Array(64), ctx: { mark: 1 }, dataSizeOut: 0 });
  }

  /** Removes what is over as if the clock were so much later. */
  sweep(laterNs = 0n): number {
    this.object.data.set({ pping_tick: this.object.data.get("pping_tick") + laterNs });
    this.object.program("pping_sweep_stamps").testRun();
    return this.object
      .program("pping_sweep_flows")
      .testRun({ data: new Uint8Array(64), ctx: { mark: 0 }, dataSizeOut: 0 }).retval;
  }

  /** Empties everything. */
  [Symbol.dispose](): void {
    for (const name of ["flows", "stamps"] as const) for (const _ of this.object.map(name).drain());
    while (this.#ring.read() !== undefined);
    const totals = this.object.map("totals");
    const [first] = totals.perCpu(0) ?? [];
    if (first !== undefined) totals.fill(0, zeroed(first));
  }
}

function zeroed(totals: PpingTotals): PpingTotals {
  const zeros = (counts: readonly bigint[]) => counts.map(() => 0n);
  return {
    packets: zeros(totals.packets),
    happenings: zeros(totals.happenings),
    protocols: totals.protocols.map(() => ({ packets: 0n, l3_bytes: 0n })),
    ecn: zeros(totals.ecn),
    other_protocols: zeros(totals.other_protocols),
  };
}

/** Two ends that talk over one interface: `near` on this side of it. */
export interface Pair {
  readonly near: string;
  readonly far: string;
  readonly nearPort?: number;
  readonly farPort?: number;
  readonly vlan?: number;
  readonly raw?: boolean;
}

export const IPV4: Pair = { near: "10.0.0.1", far: "10.0.0.2" };
export const IPV6: Pair = { near: "2001:db8::1", far: "2001:db8::2" };

/** A packet from the near end (`out`) or from the far one. */
export function packet(
  pair: Pair,
  out: boolean,
  transport: PacketSpec["transport"],
  more: { readonly ipv4?: object; readonly ipv6?: object } = {},
): Uint8Array {
  const [source, destination] = out ? [pair.near, pair.far] : [pair.far, pair.near];
  const vlans = pair.vlan === undefined ? {} : { vlans: [{ id: pair.vlan }] };
  const ip = source.includes(":")
    ? { ipv6: { source, destination, ...more.ipv6 } }
    : { ipv4: { source, destination, ...more.ipv4 } };
  return buildPacket({ ...(pair.raw ? {} : { ethernet: vlans }), ...ip, transport });
}

/** What a TCP segment says. */
export interface Segment {
  /** Time stamp value and echo. */
  readonly ts?: readonly [value: number, echo: number];
  readonly flags?: readonly (keyof typeof TCP_FLAG)[];
  readonly bytes?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly sack?: readonly (readonly [number, number])[];
  readonly options?: readonly TcpOption[];
}

/** A TCP segment. ACK is set unless flags say otherwise. */
export function tcp(pair: Pair, out: boolean, segment: Segment, more: object = {}): Uint8Array {
  const [near, far] = [pair.nearPort ?? 4000, pair.farPort ?? 80];
  const { ts, flags = ["ack"], bytes = 0, seq = 1, ack = 1, sack } = segment;
  const options: TcpOption[] = [...(segment.options ?? [])];
  if (ts !== undefined)
    options.push({ kind: "nop" }, { kind: "nop" }, { kind: "timestamps", value: ts[0], echo: ts[1] });
  if (sack !== undefined) options.push({ kind: "nop" }, { kind: "nop" }, { kind: "sack", blocks: sack });
  return packet(
    pair,
    out,
    {
      kind: "tcp",
      sourcePort: out ? near : far,
      destinationPort: out ? far : near,
      sequence: seq >>> 0,
      acknowledgement: ack >>> 0,
      flags: flags.reduce((sum, flag) => sum | TCP_FLAG[flag], 0),
      options,
      payload: new Uint8Array(bytes),
    },
    more,
  );
}

/** An echo request or its reply. */
export function echo(pair: Pair, out: boolean, isRequest: boolean, id: number, sequence: number): Uint8Array {
  const isV6 = pair.near.includes(":");
  const type = isRequest ? (isV6 ? 128 : 8) : isV6 ? 129 : 0;
  return packet(pair, out, { kind: "icmp", type, rest: id * 65_536 + sequence, payload: new Uint8Array(56) });
}

/** A DNS message over UDP. */
export function dns(pair: Pair, out: boolean, isQuery: boolean, id: number): Uint8Array {
  const payload = new Uint8Array(30);
  new DataView(payload.buffer).setUint16(0, id);
  payload[2] = isQuery ? 0x01 : 0x81;
  const [near, far] = [pair.nearPort ?? 4000, 53];
  return packet(pair, out, {
    kind: "udp",
    sourcePort: out ? near : far,
    destinationPort: out ? far : near,
    payload,
  });
}

/** A QUIC packet with a short header and this spin bit; undefined: one with a long header. */
export function quic(pair: Pair, out: boolean, spin: boolean | undefined): Uint8Array {
  const payload = new Uint8Array(40);
  payload[0] = spin === undefined ? 0xc0 : spin ? 0x60 : 0x40;
  const [near, far] = [pair.nearPort ?? 4000, 443];
  return packet(pair, out, { kind: "udp", sourcePort: out ? near : far, destinationPort: out ? far : near, payload });
}
