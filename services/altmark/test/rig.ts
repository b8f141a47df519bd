import { BpfObject, monotonicNow, type SkbInput, taiNow } from "@waymark/bpf-runtime";
import { clockOffset } from "@waymark/probe";
import { type AltmarkCount, type AltmarkFlowKey, AltmarkReason, altmarkSpec } from "../bpf/altmark.gen.ts";
import type { FlowRule } from "../src/flow-rule.ts";
import { configure, countersInSlot } from "../src/kernel-config.ts";

/** A day: no block ends while a test runs. */
export const INTERVAL_NS = 86_400_000_000_000n;
export const GUARD_NS = INTERVAL_NS / 4n;
/** TC_ACT_UNSPEC: the next program decides. */
export const NEUTRAL = -1;

/** How to load the programs. */
export interface RigOptions {
  readonly rules?: readonly FlowRule[];
  readonly perFlow?: boolean;
  readonly tableSize?: number;
  readonly slots?: number;
  readonly leased?: boolean;
  readonly keepMarks?: boolean;
  readonly isSink?: boolean;
}

type ReasonName = keyof typeof AltmarkReason;

/** The packet programs, loaded but not attached, at a time of the test's choice. */
export class Rig implements Disposable {
  readonly object: BpfObject<typeof altmarkSpec>;
  readonly #slots: number;
  readonly #counters: number;

  constructor(options: RigOptions = {}) {
    const { rules = [], perFlow = false, slots = 8 } = options;
    this.#slots = slots;
    this.#counters = countersInSlot(rules.length);
    using open = BpfObject.open(altmarkSpec);
    configure(open, {
      intervalNs: INTERVAL_NS,
      guardNs: GUARD_NS,
      l2Length: 14,
      slots,
      rules,
      perFlow,
      leased: options.leased ?? false,
      keepMarks: options.keepMarks ?? false,
      isSink: options.isSink ?? false,
    });
    this.object = open.load();
    const tables = this.object.map("flow_tables");
    for (let slot = 0; slot < slots; slot++) {
      tables.set(slot, tables.createInner({ maxEntries: options.tableSize ?? (perFlow ? 65_536 : 1) }));
    }
  }

  /** Makes it `fraction` (0 to 1) of the way into block `block`, and opens that block. */
  at(
    block: bigint,
    fraction = 0.1,
    options: { readonly forget?: boolean; readonly leaseNs?: bigint; readonly steppedNs?: bigint } = {},
  ): void {
    const wanted = block * INTERVAL_NS + BigInt(Math.round(fraction * 1e6)) * (INTERVAL_NS / 1_000_000n);
    this.object.map("control").set(0, {
      clock_offset_ns: wanted - taiNow(),
      lease_until_ns: options.leaseNs ?? 2n ** 63n,
      tai_minus_monotonic_ns: clockOffset(taiNow, monotonicNow) + (options.steppedNs ?? 0n),
    });
    const ctx = { mark: options.forget ? 1 : 0 };
    expect(this.object.program("altmark_arm").testRun({ ctx }).retval).toBe(0);
  }

  /** Sends a packet through a program; the packet afterwards. The verdict is always neutral. */
  run(program: "altmark_source" | "altmark_sink", data: Uint8Array, ctx?: SkbInput): Uint8Array {
    const result = this.object.program(program).testRun({ data, ...(ctx && { ctx }) });
    expect(result.retval).toBe(NEUTRAL);
    return result.data;
  }

  /** The reasons that have counted something. */
  reasons(): Partial<Record<ReasonName, bigint>> {
    const counts = this.object.map("reasons");
    const names = Object.keys(AltmarkReason) as ReasonName[];
    return Object.fromEntries(
      names.flatMap((name) => {
        const count = counts.sum(AltmarkReason[name]);
        return count ? [[name, count]] : [];
      }),
    );
  }

  /** The counter of a rule in a block. */
  count(block: bigint, rule = 0): AltmarkCount | undefined {
    return this.object.map("counts").sum(Number(block % BigInt(this.#slots)) * this.#counters + rule);
  }

  /** The flow table of a block. */
  flows(block: bigint): (readonly [AltmarkFlowKey, AltmarkCount])[] {
    return [...(this.object.map("flow_tables").get(Number(block % BigInt(this.#slots))) ?? [])];
  }

  [Symbol.dispose](): void {
    this.object.close();
  }
}
