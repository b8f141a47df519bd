import { type BpfMap, BpfObject, interfaceCounters, interfaceInfo, type OpenBpfObject } from "@waymark/bpf-runtime";
import { Attachment, attachHook, checkInterface, linkHeaderLength } from "@waymark/probe";
import {
  type TcflowsCount,
  type TcflowsKey,
  type TcflowsRule,
  type TcflowsSum,
  tcflowsSpec,
} from "../bpf/tcflows.gen.ts";
import { MAX_RULES } from "./flow-filter.ts";
import type { Counts } from "./flow-record.ts";
import type { OverflowSum } from "./flow-table.ts";

/** How to attach, and what to count. */
export interface MeterOptions {
  readonly device: string;
  /** Flows between two readings at the most. */
  readonly tableSize: number;
  /** Flows that match none are counted together; empty: all flows are counted. */
  readonly rules: readonly TcflowsRule[];
  readonly order: "first" | "last";
  /** Default: TCX where the kernel has it. */
  readonly hook?: "tcx" | "clsact";
}

/** A table of flows that is at rest. */
export type KernelTable = BpfMap<TcflowsKey, TcflowsCount>;

/** TCFLOWS_PROTOCOLS, TCFLOWS_NOT_IP, TCFLOWS_DIRECTIONS of tcflows.h. */
const PROTOCOLS = 257;
const NOT_IP = 256;
const directions = ["ingress", "egress"] as const;

/** The packet programs on one interface: they count by flow; this takes out what they have counted. */
export class Meter implements Disposable {
  readonly device: string;
  readonly ifindex: number;
  /** Whether packets begin with an Ethernet header. */
  readonly hasLinkHeader: boolean;
  /** How the programs hang on the interface. */
  readonly hook: "tcx" | "clsact";
  readonly #object: BpfObject<typeof tcflowsSpec>;
  readonly #attachments: readonly Attachment[];
  readonly #tableSize: number;

  /** @throws when the interface is gone or unsuitable, or the kernel or the privileges do not suffice */
  constructor(options: MeterOptions) {
    const { device, order } = options;
    const { ifindex, linkType } = interfaceInfo(device);
    this.device = device;
    this.ifindex = ifindex;
    this.hook = options.hook ?? attachHook();
    this.#tableSize = options.tableSize;
    const l2Length = linkHeaderLength(device, linkType);
    this.hasLinkHeader = l2Length > 0;
    this.#object = load(l2Length, options.rules);
    const attachments: Attachment[] = [];
    this.#attachments = attachments;
    try {
      this.#tables.set(0, this.#newTable());
      for (const direction of directions) {
        const program = this.#object.program(`tcflows_${direction}`);
        attachments.push(new Attachment(program, { ifindex, direction, hook: this.hook, order }));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get #tables() {
    return this.#object.map("tables");
  }

  #newTable(): KernelTable {
    return this.#tables.createInner({ maxEntries: this.#tableSize });
  }

  /**
   * Everything that was counted since the last time, or undefined if nothing was; nobody writes to it any more: a packet is
   * either in this table or in one that is taken later. The caller closes it.
   */
  take(): KernelTable | undefined {
    // A packet that comes after this look is in the table that is taken the next time.
    const isEmpty = this.#tables.get(0)?.keys({ batch: 1 }).next().done === true;
    return isEmpty ? undefined : this.takeLast();
  }

  /** The same after `detach`, when programs may still be running: it waits for them. */
  takeLast(): KernelTable | undefined {
    return this.#tables.swap(0, this.#newTable());
  }

  /** What found no room, by direction and protocol, since the start; nothing if there is no more than the last time. */
  overflow(): OverflowSum[] {
    if (this.#object.data.get("tcflows_overflowed") === 0) return [];
    // Programs raise it after they have counted, so that nothing between this and the reading is missed the next time.
    this.#object.data.set({ tcflows_overflowed: 0 });
    const found: OverflowSum[] = [];
    for (const [index, sum] of this.#object.map("overflow").sums()) {
      if (sum.packets === 0n) continue;
      const protocol = index % PROTOCOLS;
      const direction = directions[Math.floor(index / PROTOCOLS)] ?? "egress";
      found.push({ direction, protocol: protocol === NOT_IP ? undefined : protocol, ...countsOf(sum) });
    }
    return found;
  }

  /** What no filter wanted, since the start. */
  filtered(): Counts {
    let sum: Counts = { packets: 0, l3Bytes: 0, l2Bytes: 0 };
    for (const [, one] of this.#object.map("filtered").sums()) {
      const more = countsOf(one);
      sum = {
        packets: sum.packets + more.packets,
        l3Bytes: sum.l3Bytes + more.l3Bytes,
        l2Bytes: sum.l2Bytes + more.l2Bytes,
      };
    }
    return sum;
  }

  /** What the interface itself has carried, both ways; super-packets count as one. @throws when it is gone */
  interfacePackets(): bigint {
    try {
      const { rxPackets, txPackets } = interfaceCounters(this.ifindex);
      return rxPackets + txPackets;
    } catch (error) {
      checkInterface(this.device, this.ifindex);
      throw error;
    }
  }

  /** Goes back to the place in the chain that was asked for; true if somebody had taken it. */
  keepPlace(): boolean {
    return this.#attachments.map((attachment) => attachment.keepPlace()).some(Boolean);
  }

  /** Kernel memory of the table that is counted into, in octets. */
  tableMemory(): number {
    return this.#tables.get(0)?.info().memoryBytes ?? 0;
  }

  /** Takes the programs off the interface. */
  detach(): void {
    for (const attachment of this.#attachments) attachment[Symbol.dispose]();
  }

  /** Detaches and frees everything. */
  close(): void {
    this.detach();
    this.#object.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Sets the constants of programs that are not loaded yet. */
export function configure(
  open: Pick<OpenBpfObject<typeof tcflowsSpec>, "rodata">,
  l2Length: number,
  rules: readonly TcflowsRule[],
): void {
  const unused: TcflowsRule = { value: [], mask: [] };
  open.rodata.set({
    config: { l2_length: l2Length, rules: rules.length },
    rules: Array.from({ length: MAX_RULES }, (_, i) => rules[i] ?? unused),
  });
}

function load(l2Length: number, rules: readonly TcflowsRule[]): BpfObject<typeof tcflowsSpec> {
  using open = BpfObject.open(tcflowsSpec);
  configure(open, l2Length, rules);
  return open.load();
}

function countsOf(sum: TcflowsSum): Counts {
  return { packets: Number(sum.packets), l3Bytes: Number(sum.l3_bytes), l2Bytes: Number(sum.l2_bytes) };
}
