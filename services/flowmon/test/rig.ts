import { BpfObject, type SkbInput } from "@waymark/bpf-runtime";
import { parseAddress } from "@waymark/packet";
import type { FlowmonFlow } from "../bpf/flowmon.gen.ts";
import { FlowmonReason, flowmonClockSpec } from "../bpf/flowmon_clock.gen.ts";
import { type ConfigFile, NO_CONFIG_FILE, type NumberPlace } from "../src/config-file.ts";
import type { FlowFigures } from "../src/flow-figures.ts";
import { flowName } from "../src/flow-id.ts";
import { configure, type KernelConfig } from "../src/kernel-config.ts";
import { type Generation, kernelSettings } from "../src/kernel-settings.ts";
import { readFlows } from "../src/reading.ts";

/** TC_ACT_UNSPEC: the next program decides. */
export const NEUTRAL = -1;
/** The first interval, which is open when a rig begins. */
export const EPOCH = 1;
/** Far away: no interval ends while a test does not say so. */
const NEVER_NS = 1n << 62n;

/** How to load the programs. */
export interface RigOptions extends Partial<Omit<KernelConfig, "own" | "l2Length">> {
  readonly file?: Partial<ConfigFile>;
  readonly ownAddresses?: readonly string[];
  /** Packets will leave, too. */
  readonly egress?: boolean;
}

/** Where numbers are in the tests unless they say otherwise: the payload's first four octets. */
export const FIRST_FOUR: NumberPlace = { pattern: undefined, offset: 0, octets: 4, littleEndian: false, step: 1n };

type Loaded = BpfObject<typeof flowmonClockSpec>;

/** Loaded programs that no rig uses, by how they were loaded: the verifier takes most of a test's time. */
const idle = new Map<string, Loaded[]>();

afterAll(() => {
  for (const object of [...idle.values()].flat()) object.close();
  idle.clear();
});

function load({ egress, ...config }: Omit<KernelConfig, "l2Length"> & { readonly egress: boolean }): Loaded {
  using open = BpfObject.open(flowmonClockSpec);
  open.program("flowmon_egress").setAutoload(egress);
  configure(open, { l2Length: 14, ...config });
  return open.load();
}

/** The packet programs, loaded but not attached, by a clock of the test's choice. */
export class Rig implements Disposable {
  readonly object: Loaded;
  readonly #how: string;
  readonly #loss: boolean;

  constructor(options: RigOptions = {}) {
    const { file, ownAddresses = [], ...given } = options;
    const config = {
      gaps: true,
      bursts: true,
      loss: false,
      rtp: { recognise: false, ports: [] },
      tableSize: 1024,
      own: ownAddresses.length > 0,
      egress: false,
      ...given,
    };
    this.#loss = config.loss;
    this.#how = JSON.stringify(config);
    this.object = idle.get(this.#how)?.pop() ?? load(config);
    this.settings({ ...NO_CONFIG_FILE, ...file }, { place: 1, rules: 1 });
    for (const address of ownAddresses) {
      this.object.map("own_addresses").set({ octets: parseAddress(address) ?? new Uint8Array(16) }, 1);
    }
    this.turn(EPOCH, NEVER_NS);
  }

  /** Puts other settings in force. */
  settings(file: ConfigFile, generation: Generation): void {
    const settings = kernelSettings(file, generation);
    this.object.data.set({ settings: [settings, settings] });
  }

  /** The interval `epoch` is open and ends at `endsNs`. */
  turn(epoch: number, endsNs: bigint): void {
    this.object.data.set({ flowmon_turn: endsNs | BigInt(epoch) });
  }

  /** A packet arrives (or leaves) at a moment; the verdict is always neutral and the packet stays as it was. */
  send(data: Uint8Array, atNs: bigint, ctx: SkbInput = {}, direction: "ingress" | "egress" = "ingress"): void {
    const result = this.object.program(`flowmon_${direction}`).testRun({ data, ctx: { ...ctx, tstamp: atNs } });
    expect(result.retval).toBe(NEUTRAL);
    expect(Buffer.compare(result.data, data)).toBe(0);
  }

  /** What an interval holds, by the flow's name. */
  flows(epoch = EPOCH): Map<string, FlowFigures> {
    const flows = new Map<string, FlowFigures>();
    for (const batch of this.object.map("flows").batches()) {
      for (const { id, figures } of readFlows(batch, epoch, "eth0", this.#loss)) {
        const name = `${id.direction === "egress" ? "egress " : ""}${flowName(id)}`;
        if (flows.has(name)) throw new Error(`two flows are called ${name}`);
        flows.set(name, figures);
      }
    }
    return flows;
  }

  /** The one flow that there is. */
  only(epoch = EPOCH): FlowFigures {
    const [figures, ...others] = this.flows(epoch).values();
    if (!figures || others.length > 0) throw new Error(`${others.length + (figures ? 1 : 0)} flows instead of one`);
    return figures;
  }

  /** All flows with all their state, as the kernel has them. */
  raw(): FlowmonFlow[] {
    return Array.from(this.object.map("flows").entries(), ([, flow]) => flow);
  }

  /** Wire packets in no flow, by reason; only those that have counted something. */
  reasons(): Partial<Record<string, bigint>> {
    const counts = this.object.map("reasons");
    return Object.fromEntries(
      Object.entries(FlowmonReason).flatMap(([name, index]) => {
        const count = name === "FLOWMON_REASONS" ? 0n : counts.sum(index);
        return count ? [[name.replace("FLOWMON_", "").toLowerCase(), count]] : [];
      }),
    );
  }

  /** What found no room in an interval: packets, L3 bytes and payload by direction × class. */
  overflow(epoch = EPOCH): { packets: bigint; l3_bytes: bigint; payload_bytes: bigint }[] {
    const map = this.object.map("overflow");
    return Array.from({ length: 6 }, (_, at) => {
      const own = (map.perCpu((epoch & 1) * 6 + at) ?? []).filter((count) => count.epoch === BigInt(epoch));
      const sum = (name: "packets" | "l3_bytes" | "payload_bytes") => own.reduce((all, c) => all + c[name], 0n);
      return { packets: sum("packets"), l3_bytes: sum("l3_bytes"), payload_bytes: sum("payload_bytes") };
    });
  }

  event(index: number): bigint {
    return this.object.map("events").sum(index) ?? 0n;
  }

  reap(beforeNs: bigint): void {
    this.object.program("flowmon_reap").testRun({ data: new Uint8Array(64), ctx: { tstamp: beforeNs } });
  }

  /** Makes the programs as they were when they were loaded, for the next rig. */
  [Symbol.dispose](): void {
    const { object } = this;
    for (const _ of object.map("flows").drain());
    for (const _ of object.map("own_addresses").drain());
    for (const name of ["reasons", "events"] as const) {
      for (const [index] of [...object.map(name).entries()]) object.map(name).fill(index, 0n);
    }
    const nothing = { epoch: 0n, packets: 0n, l3_bytes: 0n, payload_bytes: 0n };
    for (const [index] of [...object.map("overflow").entries()]) object.map("overflow").fill(index, nothing);
    idle.set(this.#how, [...(idle.get(this.#how) ?? []), object]);
  }
}
