import {
  type BpfLink,
  type BpfMap,
  BpfObject,
  type BpfRingBuffer,
  interfaceCounters,
  interfaceInfo,
} from "@waymark/bpf-runtime";
import { Attachment, attachHook, linkHeaderLength } from "@waymark/probe";
import {
  type PpingEvent,
  PpingHappening,
  type PpingPrefix,
  type PpingPrefixTraffic,
  PpingProtocolClass,
  PpingReason,
  type PpingTotals,
  ppingSpec,
} from "../bpf/pping.gen.ts";
import type { Measurement } from "./config.ts";
import type { FlowEnd } from "./flow-end.ts";
import { configure } from "./kernel-config.ts";
import type { FlowCounts } from "./news.ts";
import type { Amount, InterfaceTraffic, Shortage } from "./traffic.ts";

/** How to attach. */
export interface ObserverOptions {
  readonly measurement: Measurement;
  readonly device: string;
  readonly order: "first" | "last";
  /** Default: TCX where the kernel has it. */
  readonly hook?: "tcx" | "clsact";
}

type PrefixTable = BpfMap<PpingPrefix, PpingPrefixTraffic>;

const NO_AMOUNT = { packets: 0n, l3_bytes: 0n };
const NO_TRAFFIC: PpingPrefixTraffic = {
  received: [NO_AMOUNT, NO_AMOUNT, NO_AMOUNT],
  sent: [NO_AMOUNT, NO_AMOUNT, NO_AMOUNT],
};
const FAMILIES = [4, 6] as const;
/** `skb->mark` that begins the next tick. */
const TICK = 1;
/** PPING_MAX_REMOVALS: a sweep that removed so many has left some. */
const MAX_REMOVALS = 16_384;

/** The packet programs on one interface. */
export class Observer implements Disposable {
  /** How the programs hang on the interface. */
  readonly hooks: { readonly egress: BpfLink["kind"]; readonly ingress: BpfLink["kind"] };
  readonly ring: BpfRingBuffer<PpingEvent>;
  readonly #object: BpfObject<typeof ppingSpec>;
  readonly #ifindex: number;
  readonly #prefixes: number;
  readonly #attached: (Attachment | BpfLink)[] = [];
  #closed = false;
  #sweeping = false;

  /** @throws when the interface is gone or unsuitable, or the kernel or the privileges do not suffice */
  constructor({ measurement, device, order, hook = attachHook() }: ObserverOptions) {
    const { ifindex, linkType } = interfaceInfo(device);
    this.#ifindex = ifindex;
    this.#prefixes = measurement.aggregation?.prefixes ?? 0;
    this.#object = load(measurement, linkHeaderLength(device, linkType));
    try {
      if (measurement.aggregation) this.#object.map("prefixes").set(0, this.#newTable());
      this.sweep();
      this.ring = this.#object.ringBuffer("events");
      const egress = new Attachment(this.#object.program("pping_egress"), {
        ifindex,
        direction: "egress",
        hook,
        order,
      });
      this.#attached.push(egress);
      const ingress =
        measurement.ingress === "xdp"
          ? this.#object.program("pping_xdp").attachXdp({ ifindex, mode: measurement.xdpMode })
          : new Attachment(this.#object.program("pping_ingress"), { ifindex, direction: "ingress", hook, order });
      this.#attached.push(ingress);
      this.hooks = { egress: egress.kind, ingress: ingress.kind };
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Removes what is over, as far as the ring can tell it at once; true if there is more: once the ring has been read. */
  sweep(): boolean {
    if (!this.#sweeping) this.#object.program("pping_sweep_stamps").testRun();
    const flows = this.#object.program("pping_sweep_flows");
    const { retval } = flows.testRun({ data: new Uint8Array(64), ctx: { mark: 0 }, dataSizeOut: 0 });
    this.#sweeping = retval >= MAX_REMOVALS;
    if (!this.#sweeping) flows.testRun({ data: new Uint8Array(64), ctx: { mark: TICK }, dataSizeOut: 0 });
    return this.#sweeping;
  }

  /** Goes back to the places in the chains that were asked for; true if somebody had taken one. */
  keepPlace(): boolean {
    return this.#attached.map((link) => link instanceof Attachment && link.keepPlace()).includes(true);
  }

  /** Wire packets by what became of them, and what else was counted; cumulative. */
  counters(): Record<string, bigint> {
    const totals = this.#totals();
    const packets = named(PpingReason, "PPING_REASONS", totals.packets);
    return { ...packets, ...named(PpingHappening, "PPING_HAPPENINGS", totals.happenings) };
  }

  /** What found no room; cumulative. */
  shortage(): Shortage {
    const { packets, happenings } = this.#totals();
    return {
      stamps: happenings[PpingHappening.PPING_STAMP_TABLE_FULL] ?? 0n,
      flows: (packets[PpingReason.PPING_FLOW_TABLE_FULL] ?? 0n) + (packets[PpingReason.PPING_FLOW_NO_MEMORY] ?? 0n),
      prefixes: happenings[PpingHappening.PPING_PREFIX_TABLE_FULL] ?? 0n,
      events: happenings[PpingHappening.PPING_EVENTS_LOST] ?? 0n,
    };
  }

  /** What has passed by protocol; cumulative, with aggregation only. */
  traffic(): InterfaceTraffic {
    const { protocols, other_protocols, ecn } = this.#totals();
    const amount = (index: number): Amount => {
      const { packets, l3_bytes } = protocols[index] ?? NO_AMOUNT;
      return { packets, l3Bytes: l3_bytes };
    };
    return {
      notIp: amount(PpingProtocolClass.PPING_CLASS_NOT_IP),
      tcp: amount(PpingProtocolClass.PPING_CLASS_TCP),
      udp: amount(PpingProtocolClass.PPING_CLASS_UDP),
      icmp: amount(PpingProtocolClass.PPING_CLASS_ICMP),
      icmpv6: amount(PpingProtocolClass.PPING_CLASS_ICMPV6),
      others: new Map([...other_protocols.entries()].filter(([, packets]) => packets > 0n)),
      ecn,
    };
  }

  /** What passed by prefix since the last time; each packet once. */
  takePrefixes(): (readonly [PpingPrefix, PpingPrefixTraffic])[] {
    const table = this.#object.map("prefixes").swap(0, this.#newTable());
    if (table === undefined) return [];
    const taken = [...table.entries()];
    table.close();
    return taken;
  }

  /** What has been counted of a flow so far; undefined if it is gone. */
  flowCounts({
    flowId,
    direction,
    source,
    destination,
    sourcePort,
    destinationPort,
    vlanId,
    protocol,
  }: FlowEnd): FlowCounts | undefined {
    // What is measured from low to high is answered by high.
    const isLow = direction === 1;
    const flow = this.#object.map("flows").get({
      low: isLow ? source : destination,
      high: isLow ? destination : source,
      low_port: isLow ? sourcePort : destinationPort,
      high_port: isLow ? destinationPort : sourcePort,
      vlan_id: vlanId,
      protocol,
    });
    const [sent, received] = [flow?.direction[direction], flow?.direction[1 - direction]];
    if (sent === undefined || received === undefined || Number(flow?.id) !== flowId) return undefined;
    return {
      sentPackets: Number(sent.packets),
      sentL3Bytes: Number(sent.l3_bytes),
      sentPayloadBytes: Number(sent.payload_bytes),
      receivedPackets: Number(received.packets),
      receivedL3Bytes: Number(received.l3_bytes),
      receivedPayloadBytes: Number(received.payload_bytes),
    };
  }

  /** What the interface itself has carried; super-packets count as one. */
  interfacePackets(): bigint {
    const { rxPackets, txPackets } = interfaceCounters(this.#ifindex);
    return rxPackets + txPackets;
  }

  /** Wire packets that the programs have seen. */
  seenPackets(): bigint {
    return this.#totals().packets.reduce((sum, packets) => sum + packets, 0n);
  }

  /** Kernel memory of the tables, in octets. */
  memoryBytes(): number {
    return (["flows", "stamps", "totals"] as const).reduce(
      (sum, name) => sum + this.#object.map(name).info().memoryBytes,
      0,
    );
  }

  /** Takes the programs off the interface. Again: nothing. */
  detach(): void {
    for (const link of this.#attached.splice(0)) link[Symbol.dispose]();
  }

  /** Detaches and frees everything. Again: nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.detach();
    this.#object.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #totals(): PpingTotals {
    const totals = this.#object.map("totals").sum(0);
    if (totals === undefined) throw new Error("the packet programs have no counters");
    return totals;
  }

  #newTable(): PrefixTable {
    const table = this.#object.map("prefixes").createInner({ maxEntries: this.#prefixes + FAMILIES.length });
    for (const family of FAMILIES) table.set({ bits: 0n, family, other: 1 }, NO_TRAFFIC);
    return table;
  }
}

function load(measurement: Measurement, l2Length: number): BpfObject<typeof ppingSpec> {
  using open = BpfObject.open(ppingSpec);
  configure(open, measurement, l2Length);
  open.program(measurement.ingress === "xdp" ? "pping_ingress" : "pping_xdp").setAutoload(false);
  return open.load();
}

function named(
  names: Readonly<Record<string, number>>,
  last: string,
  counts: readonly bigint[],
): Record<string, bigint> {
  const own = Object.entries(names).filter(([name]) => name !== last);
  return Object.fromEntries(
    own.map(([name, index]) => [name.replace("PPING_", "").toLowerCase(), counts[index] ?? 0n]),
  );
}
