import { BpfObject, type SkbInput } from "@waymark/bpf-runtime";
import { formatAddress } from "@waymark/packet";
import {
  type TcflowsCount,
  TcflowsDirection,
  type TcflowsKey,
  type TcflowsRule,
  type TcflowsSum,
  tcflowsSpec,
} from "../bpf/tcflows.gen.ts";
import { configure } from "../src/meter.ts";
import type { FlowSums } from "./reference.ts";

/** TC_ACT_UNSPEC: the next program decides. */
const NEUTRAL = -1;
/** TCFLOWS_PROTOCOLS, TCFLOWS_DIRECTIONS. */
const PROTOCOLS = 257;

/** How to load the programs. */
export interface RigOptions {
  readonly tableSize?: number;
  readonly rules?: readonly TcflowsRule[];
  readonly l2Length?: number;
}

/** The packet programs, loaded but not attached. */
export class Rig implements Disposable {
  readonly object: BpfObject<typeof tcflowsSpec>;
  readonly #tableSize: number;

  constructor({ tableSize = 65_536, rules = [], l2Length = 14 }: RigOptions = {}) {
    this.#tableSize = tableSize;
    using open = BpfObject.open(tcflowsSpec);
    configure(open, l2Length, rules);
    this.object = open.load();
    this.#tables.set(0, this.#tables.createInner({ maxEntries: tableSize }));
  }

  get #tables() {
    return this.object.map("tables");
  }

  /** Sends a packet through a program, which must leave it and the verdict alone. */
  run(data: Uint8Array, direction: "ingress" | "egress" = "egress", ctx?: SkbInput): void {
    const result = this.object.program(`tcflows_${direction}`).testRun({ data, ...(ctx && { ctx }) });
    expect(result.retval).toBe(NEUTRAL);
    expect(result.data).toEqual(data);
  }

  /** Takes everything out. */
  take(): (readonly [TcflowsKey, TcflowsCount])[] {
    using old = this.#tables.swap(0, this.#tables.createInner({ maxEntries: this.#tableSize }));
    return [...(old ?? [])];
  }

  /** What found no room, by direction and protocol. */
  overflow(): Record<string, TcflowsSum> {
    const found = [...this.object.map("overflow").sums()].filter(([, sum]) => sum.packets > 0n);
    const direction = (index: number) => (index < PROTOCOLS ? "ingress" : "egress");
    return Object.fromEntries(found.map(([index, sum]) => [`${direction(index)} ${index % PROTOCOLS}`, sum]));
  }

  /** What no rule wanted, both directions. */
  filtered(): readonly TcflowsSum[] {
    return [...this.object.map("filtered").sums()].map(([, sum]) => sum);
  }

  [Symbol.dispose](): void {
    this.object.close();
  }
}

/** The kernel's key in the words of the reference. */
export function keyText(key: TcflowsKey): string {
  const direction = key.direction === TcflowsDirection.TCFLOWS_INGRESS ? "ingress" : "egress";
  if (key.version === 0) return `${direction} vlan ${key.vlan_id} type ${key.ether_type}`;
  const end = (address: Uint8Array, port: number) => `${formatAddress(address)} ${port}`;
  const ends = `${end(key.source, key.source_port)} > ${end(key.destination, key.destination_port)}`;
  const icmp = `${key.icmp_type} ${key.icmp_code} ${key.icmp_id}`;
  return `${direction} vlan ${key.vlan_id} ip ${key.protocol} ${ends} icmp ${icmp}`;
}

/** Counts in the words of the reference. */
export function sumsOf(count: TcflowsCount): FlowSums {
  return {
    packets: Number(count.packets),
    l3Bytes: Number(count.l3_bytes),
    l2Bytes: Number(count.l2_bytes),
    tcpFlags: count.tcp_flags,
    dscp: count.dscp,
    macs: Buffer.from(count.macs).toString("hex"),
  };
}
