import { constants } from "node:os";
import { BpfError } from "./errors.ts";
import { type Native, native, type Status } from "./native.ts";

/** Kernel features that Waymark uses, and the kernel that brought each. */
export const FEATURES = {
  tcx: { since: "6.6", what: "TCX links" },
  xdp: { since: "5.9", what: "XDP links" },
  ringbuf: { since: "5.8", what: "BPF ring buffers" },
  timer: { since: "5.15", what: "bpf_timer" },
  loop: { since: "5.17", what: "bpf_loop" },
  taiClock: { since: "6.1", what: "bpf_ktime_get_tai_ns" },
  coarseClock: { since: "5.11", what: "bpf_ktime_get_coarse_ns" },
  batch: { since: "5.6", what: "batch operations on hash maps" },
} as const;

/** Name of a kernel feature. */
export type FeatureName = keyof typeof FEATURES;

/** Whether a feature is there. */
export interface Feature {
  readonly supported: boolean;
  /** The first kernel that has it. */
  readonly since: string;
  /** For people: why it is or is not taken as supported. */
  readonly reason: string;
}

const SCHED_CLS = 3;
const XDP = 6;
const RINGBUF = 27;
/** Helpers by number (`enum bpf_func_id`). */
const HELPERS = { timer: 169, loop: 181, taiClock: 208, coarseClock: 160 } as const;

const PROBES: Readonly<Record<FeatureName, (addon: Native) => Status>> = {
  tcx: (addon) => addon.probeTcx(),
  xdp: (addon) => addon.probeProgram(XDP),
  ringbuf: (addon) => addon.probeMap(RINGBUF),
  timer: (addon) => addon.probeHelper(SCHED_CLS, HELPERS.timer),
  loop: (addon) => addon.probeHelper(SCHED_CLS, HELPERS.loop),
  taiClock: (addon) => addon.probeHelper(SCHED_CLS, HELPERS.taiClock),
  coarseClock: (addon) => addon.probeHelper(SCHED_CLS, HELPERS.coarseClock),
  batch: (addon) => addon.probeBatch(),
};

const { EPERM, EACCES } = constants.errno;
const probed = new Map<FeatureName, Feature>();

function describe(name: FeatureName, status: Status): Feature {
  const { since, what } = FEATURES[name];
  if (status > 0) return { supported: true, since, reason: `the kernel has ${what}` };
  if (status === 0) return { supported: false, since, reason: `the kernel lacks ${what}; Linux ${since} has it` };
  const denied = status === -EPERM || status === -EACCES;
  const why = denied ? "not permitted; it needs root or CAP_BPF" : `errno ${-status}`;
  return { supported: false, since, reason: `could not ask the kernel for ${what}: ${why}` };
}

/** Whether the running kernel has `name`. Asked once for each process or worker, except while it is not permitted. */
export function probeFeature(name: FeatureName): Feature {
  const known = probed.get(name);
  if (known) return known;
  const status = PROBES[name](native());
  const feature = describe(name, status);
  if (status >= 0) probed.set(name, feature);
  return feature;
}

/** All features of the running kernel. Nothing is changed by asking. */
export function probeFeatures(): Readonly<Record<FeatureName, Feature>> {
  const names = Object.keys(FEATURES) as FeatureName[];
  return Object.fromEntries(names.map((name) => [name, probeFeature(name)])) as Record<FeatureName, Feature>;
}

/** The feature that a helper belongs to, by the helper's number. */
export function featureOfHelper(helper: number): FeatureName | undefined {
  const found = Object.entries(HELPERS).find(([, number]) => number === helper);
  return found?.[0] as FeatureName | undefined;
}

/** The error for doing `operation` without the feature `name`. */
export function unsupportedError(name: FeatureName, operation: string, object: string, errno?: number): BpfError {
  const { since, what } = FEATURES[name];
  const details = errno === undefined ? { operation } : { operation, errno };
  const message = `${operation} ${object}: the kernel lacks ${what}; Linux ${since} or newer has it`;
  return new BpfError("BPF_NOT_SUPPORTED", message, details);
}
