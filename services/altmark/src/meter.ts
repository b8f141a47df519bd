import { type BpfMap, BpfObject, interfaceCounters, interfaceInfo, monotonicNow, taiNow } from "@waymark/bpf-runtime";
import { tupleName } from "@waymark/packet";
import { Attachment, attachHook, clockOffset, linkHeaderLength, type WallClock } from "@waymark/probe";
import { type AltmarkCount, type AltmarkFlowKey, AltmarkReason, altmarkSpec } from "../bpf/altmark.gen.ts";
import type { Measurement } from "./config.ts";
import { type KernelClock, parseKernelClock } from "./kernel-clock.ts";
import { configure, countersInSlot } from "./kernel-config.ts";
import { mostFrequent } from "./most-frequent.ts";
import type { Counted, Reading } from "./reading.ts";

/** How to attach. */
export interface MeterOptions {
  readonly measurement: Measurement;
  readonly device: string;
  readonly clock: WallClock;
  readonly order: "first" | "last";
  /** Default: TCX where the kernel has it. */
  readonly hook?: "tcx" | "clsact" | "auto";
}

/** Blocks that may wait to be read. */
const SLOTS = 64;
/** The same with a flow table each. */
const FLOW_TABLE_SLOTS = 8;
/** Without a sign of life for so long, programs that outlive the process let packets pass untouched. */
const LEASE_NS = 3_000_000_000n;
/** `skb->mark` that tells altmark_arm to forget earlier blocks. */
const FORGET = 1;
const NO_COUNT: AltmarkCount = { packets: 0n, l3_bytes: 0n, fragments: 0n, out_of_guard: 0n };
/** Packets that would have been in a block, had one been open. */
const MISSED = ["inactive", "slot_busy", "lease_expired"] as const;

type FlowTable = BpfMap<AltmarkFlowKey, AltmarkCount>;

/** The packet programs on one interface: they count by block; this reads the blocks that have come to rest. */
export class Meter implements Disposable {
  /** How the program hangs on the interface. */
  readonly hook: "tcx" | "clsact";
  readonly #object: BpfObject<typeof altmarkSpec>;
  readonly #attachment: Attachment;
  readonly #ifindex: number;
  readonly #clock: WallClock;
  readonly #measurement: Measurement;
  readonly #slots: number;
  #time = { clock_offset_ns: 0n, tai_minus_monotonic_ns: 0n };
  /** Swapped into slot 0 to and fro, where there are no flow tables, for what the swap waits for. */
  #spare: FlowTable | undefined;

  /** @throws when the interface is gone or unsuitable, or the kernel or the privileges do not suffice */
  constructor(options: MeterOptions) {
    const { measurement, device, clock } = options;
    const { ifindex, linkType } = interfaceInfo(device);
    const hook = options.hook ?? "auto";
    this.hook = hook === "auto" ? attachHook() : hook;
    this.#clock = clock;
    this.#ifindex = ifindex;
    this.#measurement = measurement;
    this.#slots = measurement.perFlow ? FLOW_TABLE_SLOTS : SLOTS;
    this.#object = load(measurement, linkHeaderLength(device, linkType), this.#slots, this.hook === "clsact");
    try {
      // Each takes the kernel some milliseconds; without flow tables one is enough to wait by.
      const tables = measurement.perFlow ? this.#slots : 1;
      for (let slot = 0; slot < tables; slot++) this.#flowTables.set(slot, this.#newTable());
      this.#takeTime();
      this.#arm(0);
      this.#attachment = attach(this.#object, measurement.role, ifindex, this.hook, options.order);
    } catch (error) {
      this.#object.close();
      throw error;
    }
  }

  get #flowTables() {
    return this.#object.map("flow_tables");
  }

  /** Tells the programs that we live. At least once in three seconds. */
  renewLease(): void {
    this.#object.map("control").set(0, { ...this.#time, lease_until_ns: monotonicNow() + LEASE_NS });
  }

  /** Takes over what the clock says now; until then the programs count nothing after a step. */
  #takeTime(): void {
    this.#time = {
      clock_offset_ns: this.#clock.offsetFromTaiNs(),
      tai_minus_monotonic_ns: clockOffset(taiNow, monotonicNow),
    };
    this.renewLease();
  }

  /** TCP to these addresses and ports is this agent's own and is not measured. The first eight count. */
  setOwnReports(endpoints: readonly { readonly address: Uint8Array; readonly port: number }[]): void {
    const map = this.#object.map("own_reports");
    const nobody = { address: new Uint8Array(16), port: 0 };
    const own = endpoints.slice(0, 8);
    map.set(0, { count: BigInt(own.length), endpoints: Array.from({ length: 8 }, (_, i) => own[i] ?? nobody) });
  }

  /** Wire packets that are in no block, by reason. */
  reasons(): Record<string, bigint> {
    const counts = this.#object.map("reasons");
    const byName = Object.entries(AltmarkReason).filter(([name]) => name !== "ALTMARK_REASONS");
    return Object.fromEntries(
      byName.map(([name, index]) => [name.replace("ALTMARK_", "").toLowerCase(), counts.sum(index) ?? 0n]),
    );
  }

  /** Wire packets that passed while no block was open for them. */
  missedPackets(): bigint {
    const reasons = this.reasons();
    return MISSED.reduce((sum, name) => sum + (reasons[name] ?? 0n), 0n);
  }

  /** Goes back to the place in the chain that was asked for; true if somebody had taken it. */
  keepPlace(): boolean {
    return this.#attachment.keepPlace();
  }

  /** What the interface itself has carried in our direction; super-packets count as one. */
  interfacePackets(): bigint {
    const { rxPackets, txPackets } = interfaceCounters(this.#ifindex);
    return this.#measurement.role === "source" ? txPackets : rxPackets;
  }

  /** Where sampled packets of the one flow went lately, the most frequent first, five at most. None with rules. */
  topDestinations(): string[] {
    if (this.#measurement.rules.length > 0) return [];
    return mostFrequent(Array.from(this.#object.map("samples").entries(), ([, sample]) => sample.destination));
  }

  /** True if anything was counted in a block that was not read yet. */
  hasUnread(): boolean {
    return this.#claimed().some(({ slot }) => {
      if (this.#ruleIndices(slot).some((index) => (this.#object.map("counts").sum(index)?.packets ?? 0n) > 0n))
        return true;
      const table = this.#measurement.perFlow ? this.#flowTables.get(slot) : undefined;
      return table !== undefined && !table.entries({ batch: 1 }).next().done;
    });
  }

  /** All blocks that have come to rest, oldest first; each once. */
  readFinished(): Reading[] {
    const now = this.#now();
    return this.#read((block) => now.block > block + 1n || (now.block === block + 1n && now.secondHalf));
  }

  /** All blocks, also those that are being counted: for when the programs are detached or paused. */
  readAll(): Reading[] {
    return this.#read(() => true);
  }

  /** Opens the block of the clock's new time. "back": it was open before; the programs pause until `restart`. */
  followClock(): "forward" | "back" {
    const before = this.#object.data.get("altmark_last_block");
    this.#takeTime();
    this.#arm(0);
    return this.#now().block >= before ? "forward" : "back";
  }

  /** Begins anew at the clock's time, after `readAll`. */
  restart(): void {
    this.#arm(FORGET);
  }

  /** Takes the programs off the interface. */
  detach(): void {
    this.#attachment[Symbol.dispose]();
  }

  /** Detaches and frees everything. */
  close(): void {
    this.detach();
    this.#spare?.close();
    this.#object.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The block that is open, by the programs' clock. */
  get openBlock(): bigint {
    return this.#now().block;
  }

  #now(): KernelClock {
    return parseKernelClock(this.#object.data.get("altmark_now"));
  }

  /** Starts or restarts the timer that opens the blocks. */
  #arm(mark: number): void {
    const { retval } = this.#object.program("altmark_arm").testRun({ data: new Uint8Array(64), ctx: { mark } });
    if (retval !== 0) throw new Error(`the kernel's block timer did not start (step ${retval})`);
  }

  #newTable(): FlowTable {
    return this.#flowTables.createInner({ maxEntries: this.#measurement.perFlow ? this.#measurement.tableSize : 1 });
  }

  #claimed(): { readonly slot: number; readonly blockNumber: bigint }[] {
    return [...this.#object.map("slots").entries()]
      .filter(([slot, owner]) => slot < this.#slots && owner > 0n)
      .map(([slot, owner]) => ({ slot, blockNumber: owner - 1n }));
  }

  #read(isFinished: (block: bigint) => boolean): Reading[] {
    const finished = this.#claimed()
      .filter(({ blockNumber }) => isFinished(blockNumber))
      .sort((a, b) => (a.blockNumber < b.blockNumber ? -1 : 1));
    if (finished.length === 0) return [];
    if (!this.#measurement.perFlow) this.#waitForPrograms();
    return finished.map(({ slot, blockNumber }) => {
      const rules = this.#takeRules(slot);
      const counted = [...this.#takeFlows(slot), ...rules.slice(0, -1)];
      this.#object.map("slots").set(slot, 0n);
      return { blockNumber, counted, unmatchedFragments: rules.at(-1)?.fragments ?? 0n };
    });
  }

  /** Returns after every program that runs now has ended: what it counts is counted. */
  #waitForPrograms(): void {
    this.#spare = this.#flowTables.swap(0, this.#spare ?? this.#newTable());
  }

  #takeFlows(slot: number): Counted[] {
    if (!this.#measurement.perFlow) return [];
    const table = this.#flowTables.swap(slot, this.#newTable());
    if (!table) return [];
    const counted = Array.from(table.entries(), ([key, count]) => ({
      rule: key.rule,
      tuple: tupleName({
        source: key.source,
        destination: key.destination,
        protocol: key.protocol,
        sourcePort: key.source_port,
        destinationPort: key.destination_port,
      }),
      ...countedOf(count),
    }));
    table.close();
    return counted;
  }

  /** Where the counters of a slot's rules are; the last is that of marked fragments that match none. */
  #ruleIndices(slot: number): number[] {
    const counters = countersInSlot(this.#measurement.rules.length);
    return Array.from({ length: counters }, (_, rule) => slot * counters + rule);
  }

  #takeRules(slot: number): Counted[] {
    const counts = this.#object.map("counts");
    return this.#ruleIndices(slot).map((index, rule) => {
      const count = counts.sum(index) ?? NO_COUNT;
      counts.fill(index, NO_COUNT);
      return { rule, ...countedOf(count) };
    });
  }
}

function countedOf(count: AltmarkCount): Omit<Counted, "rule" | "tuple"> {
  return {
    packets: count.packets,
    l3Bytes: count.l3_bytes,
    fragments: count.fragments,
    outOfGuard: count.out_of_guard,
  };
}

function load(measurement: Measurement, l2Length: number, slots: number, leased: boolean) {
  using open = BpfObject.open(altmarkSpec);
  configure(open, { ...measurement, l2Length, slots, leased, isSink: measurement.role === "sink" });
  return open.load();
}

function attach(
  object: BpfObject<typeof altmarkSpec>,
  role: Measurement["role"],
  ifindex: number,
  hook: "tcx" | "clsact",
  order: "first" | "last",
): Attachment {
  return role === "source"
    ? new Attachment(object.program("altmark_source"), { ifindex, direction: "egress", hook, order })
    : new Attachment(object.program("altmark_sink"), { ifindex, direction: "ingress", hook, order });
}
