import { type BpfMap, BpfObject, interfaceCounters, interfaceInfo, type Order } from "@waymark/bpf-runtime";
import { parseAddress } from "@waymark/packet";
import { Attachment, attachHook, linkHeaderLength } from "@waymark/probe";
import { FlowmonEvent, FlowmonReason, flowmonSpec } from "../bpf/flowmon.gen.ts";
import { type ConfigFile, NO_CONFIG_FILE } from "./config-file.ts";
import { configure, type KernelConfig } from "./kernel-config.ts";
import { kernelSettings, nextGeneration } from "./kernel-settings.ts";
import { overflowOf, takeOverflow } from "./overflow.ts";
import { EPOCH_MASK, type Reading, readFlows } from "./reading.ts";

/** What to attach where. */
export interface MeterOptions extends Omit<KernelConfig, "l2Length" | "own"> {
  readonly device: string;
  readonly ingress: boolean;
  readonly egress: boolean;
  readonly order: Order;
  readonly file: ConfigFile;
}

/** ARPHRD_LOOPBACK: everything there comes from its own addresses. */
const LOOPBACK = 772;
const MIN_BATCH = 64;
const MAX_BATCH = 4096;
const DIRECTIONS = ["ingress", "egress"] as const;

/** The packet programs on one interface. */
export class Meter implements Disposable {
  readonly device: string;
  readonly ifindex: number;
  readonly #options: MeterOptions;
  readonly #object: BpfObject<typeof flowmonSpec>;
  readonly #attachments: Attachment[] = [];
  readonly #ownAddresses = new Set<string>();
  #file: ConfigFile = NO_CONFIG_FILE;
  #generation = { place: 1, rules: 1 };
  #active = 0;
  /** Flows that are read together: about as many as there were last time, since room for more costs time, too. */
  #batch = MIN_BATCH;
  /** Swapped to and fro for what the swap waits for. */
  #spare: BpfMap<number, number> | undefined;

  /** @throws when the interface is gone or unsuitable, or the kernel or the privileges do not suffice */
  constructor(options: MeterOptions) {
    const { ifindex, linkType } = interfaceInfo(options.device);
    this.device = options.device;
    this.ifindex = ifindex;
    this.#options = options;
    using open = BpfObject.open(flowmonSpec);
    const l2Length = linkHeaderLength(options.device, linkType);
    configure(open, { ...options, l2Length, own: options.ingress && linkType !== LOOPBACK });
    // What is not attached need not be verified either, which takes a good part of the start.
    for (const direction of DIRECTIONS) open.program(`flowmon_${direction}`).setAutoload(options[direction]);
    this.#object = open.load();
    try {
      const rests = this.#object.map("rests");
      rests.set(0, rests.createInner());
      this.setConfigFile(options.file);
      this.followAddresses();
    } catch (error) {
      this.#object.close();
      throw error;
    }
  }

  /** Puts the programs on the interface. Packets count from the first `turn` on. */
  attach(): void {
    const { order, ...options } = this.#options;
    const hook = attachHook();
    for (const direction of DIRECTIONS) {
      if (!options[direction]) continue;
      const program = this.#object.program(`flowmon_${direction}`);
      this.#attachments.push(new Attachment(program, { ifindex: this.ifindex, direction, hook, order }));
    }
  }

  /** How the programs hang on the interface. */
  get hook(): string {
    return this.#attachments[0]?.kind ?? "none";
  }

  /** Measures by these rules and numbers from the next packet on; what was counted stays. */
  setConfigFile(file: ConfigFile): void {
    this.#generation = nextGeneration(this.#generation, this.#file, file);
    const sets = this.#object.data.get("settings");
    const inactive = 1 - this.#active;
    const next = kernelSettings(file, this.#generation);
    this.#object.data.set({ settings: sets.map((set, at) => (at === inactive ? next : set)) });
    this.#object.data.set({ flowmon_active: BigInt(inactive) });
    this.#active = inactive;
    this.#file = file;
  }

  /** Takes over which addresses the interface has now. */
  followAddresses(): void {
    const now = new Set(interfaceInfo(this.device).addresses);
    const map = this.#object.map("own_addresses");
    const octets = (text: string) => ({ octets: parseAddress(text) ?? new Uint8Array(16) });
    for (const address of now) if (!this.#ownAddresses.has(address)) map.set(octets(address), 1);
    for (const address of this.#ownAddresses) if (!now.has(address)) map.delete(octets(address));
    this.#ownAddresses.clear();
    for (const address of now) this.#ownAddresses.add(address);
  }

  /**
   * Says when the interval `epoch`, which is open, ends; packets that arrive after that are of the next one.
   *
   * @param endsNs CLOCK_MONOTONIC, as {@link boundary} rounds it
   */
  turn(epoch: number, endsNs: bigint): void {
    this.#object.data.set({ flowmon_turn: endsNs | BigInt(epoch) });
  }

  /** Returns after every program that runs now, on any interface, has ended: an interval that is over is at rest. */
  waitForPrograms(): void {
    const rests = this.#object.map("rests");
    this.#spare = rests.swap(0, this.#spare ?? rests.createInner());
  }

  /** What was counted in the interval `epoch`, which is at rest; to be read once. */
  read(epoch: number): Reading {
    const { loss } = this.#options;
    const flows = [];
    let present = 0;
    for (const batch of this.#object.map("flows").batches({ batch: this.#batch })) {
      for (const flow of readFlows(batch, epoch, this.device, loss)) flows.push(flow);
      present += batch.count;
    }
    this.#batch = Math.min(MAX_BATCH, Math.max(MIN_BATCH, present + (present >> 2)));
    return { flows, overflow: takeOverflow(this.#object.map("overflow"), epoch, this.device) };
  }

  /** Forgets flows that have been idle since `beforeNs` (CLOCK_MONOTONIC): all their intervals have been read. */
  reap(beforeNs: bigint): void {
    this.#object.program("flowmon_reap").testRun({ data: new Uint8Array(64), ctx: { tstamp: beforeNs } });
  }

  /** Wire packets in no flow, by reason, and what else is amiss, since the start. */
  counters(): Record<string, bigint> {
    const named = (layout: Readonly<Record<string, number>>, map: "reasons" | "events", last: string) =>
      Object.entries(layout)
        .filter(([name]) => name !== last)
        .map(([name, index]) => [name.replace("FLOWMON_", "").toLowerCase(), this.#object.map(map).sum(index) ?? 0n]);
    return Object.fromEntries([
      ...named(FlowmonReason, "reasons", "FLOWMON_REASONS"),
      ...named(FlowmonEvent, "events", "FLOWMON_EVENTS"),
    ]);
  }

  /** Wire packets in no flow. */
  leftOut(): bigint {
    const counters = this.counters();
    return Object.keys(FlowmonReason)
      .map((name) => counters[name.replace("FLOWMON_", "").toLowerCase()] ?? 0n)
      .reduce((sum, count) => sum + count, 0n);
  }

  /** What the interface itself has carried in the directions that are measured. */
  interfacePackets(): bigint {
    const { rxPackets, txPackets } = interfaceCounters(this.ifindex);
    return (this.#options.ingress ? rxPackets : 0n) + (this.#options.egress ? txPackets : 0n);
  }

  /** True if anything was counted in the interval `epoch` or the next one. */
  hasOpenFigures(epoch: number): boolean {
    const following = (epoch + 1) & EPOCH_MASK;
    for (const batch of this.#object.map("flows").batches({ batch: MIN_BATCH })) {
      for (const at of [epoch, following]) {
        if (!readFlows(batch, at, this.device, false).next().done) return true;
      }
    }
    const overflow = this.#object.map("overflow");
    return [epoch, following].some((at) => overflowOf(overflow, at, this.device).length > 0);
  }

  /** Goes back to the place in the chain that was asked for; true if somebody had taken it. */
  keepPlace(): boolean {
    return this.#attachments.map((attachment) => attachment.keepPlace()).includes(true);
  }

  /** Takes the programs off the interface. */
  detach(): void {
    for (const attachment of this.#attachments.splice(0)) attachment[Symbol.dispose]();
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
}

/** A moment (CLOCK_MONOTONIC) as an interval can end: the low bits hold the interval's number. Up to 65.5 µs later. */
export function boundary(ns: bigint): bigint {
  const mask = BigInt(EPOCH_MASK);
  return (ns + mask) & ~mask;
}
