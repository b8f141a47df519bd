import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { BpfError } from "./errors.ts";

/** A status: a value, or -errno. */
export type Status = number;

/** A filter of a clsact qdisc. */
export interface NativeFilter {
  readonly priority: number;
  readonly handle: number;
  readonly programId: number;
  readonly kind: string;
  readonly name: string;
}

/** A network interface as the kernel describes it. */
export interface NativeInterface {
  readonly status: Status;
  readonly ifindex: number;
  readonly name: string;
  readonly linkType: number;
  readonly up: boolean;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly rxPackets: bigint;
  readonly txPackets: bigint;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
  readonly rxDropped: bigint;
  readonly txDropped: bigint;
}

/** The addon as it is: it trusts its arguments and never throws. */
export interface Native {
  objectOpen(path: string): { readonly status: Status; readonly log: string };
  objectLoad(object: number): { readonly status: Status; readonly log: string };
  objectClose(object: number): Status;
  objectMapFd(object: number, name: string): Status;
  objectCreateInner(
    object: number,
    outer: string,
    type: number,
    name: string,
    keySize: number,
    valueSize: number,
    maxEntries: number,
    flags: number,
  ): Status;
  objectSetMaxEntries(object: number, name: string, entries: number): Status;
  objectProgramFd(object: number, name: string): Status;
  objectSetAutoload(object: number, name: string, load: boolean): Status;
  sectionRead(object: number, section: string, offset: number, out: Uint8Array): Status;
  sectionWrite(object: number, section: string, offset: number, data: Uint8Array): Status;
  mapLookup(fd: number, key: Uint8Array, value: Uint8Array): Status;
  mapLookupAndDelete(fd: number, key: Uint8Array, value: Uint8Array): Status;
  mapUpdate(fd: number, key: Uint8Array, value: Uint8Array, flags: number): Status;
  mapDelete(fd: number, key: Uint8Array): Status;
  mapNextKey(fd: number, key: Uint8Array | null, next: Uint8Array): Status;
  mapLookupBatch: NativeBatch;
  mapDrainBatch: NativeBatch;
  mapUpdateBatch(fd: number, keys: Uint8Array, values: Uint8Array, count: number): Status;
  mapInfo(fd: number): {
    readonly status: Status;
    readonly id: number;
    readonly type: number;
    readonly keySize: number;
    readonly valueSize: number;
    readonly maxEntries: number;
  };
  closeFd(fd: number): Status;
  possibleCpus(): Status;
  programTestRun(
    fd: number,
    data: Uint8Array,
    dataOut: Uint8Array | null,
    ctx: Uint8Array | null,
    ctxOut: Uint8Array | null,
    repeat: number,
  ): {
    readonly status: Status;
    readonly retval: number;
    readonly durationNs: number;
    readonly dataSize: number;
    readonly ctxSize: number;
  };
  programInfo(fd: number): {
    readonly status: Status;
    readonly id: number;
    readonly instructions: number;
    readonly runCount: bigint;
    readonly runTimeNs: bigint;
  };
  programName(id: number): { readonly status: Status; readonly name: string };
  linkCreate(programFd: number, ifindex: number, attachType: number, flags: number): Status;
  linkQuery(ifindex: number, attachType: number, ids: Uint8Array): Status;
  linkClose(link: number): Status;
  tcQdiscKind(ifindex: number): { readonly status: Status; readonly kind: string };
  tcQdiscAdd(ifindex: number): Status;
  tcQdiscDeleteEmpty(ifindex: number): Status;
  tcFilters(ifindex: number, egress: boolean): { readonly status: Status; readonly filters: readonly NativeFilter[] };
  tcAttach(
    programFd: number,
    ifindex: number,
    egress: boolean,
    priority: number,
    handle: number,
    name: string,
    lifeFd: number,
    madeQdisc: boolean,
  ): Status;
  tcDetach(ifindex: number, egress: boolean, priority: number, handle: number): Status;
  takeName(name: string): Status;
  pollOpen(fd: number, callback: (status: Status) => void): Status;
  pollArm(poller: number): Status;
  pollClose(poller: number): Status;
  ringOpen(mapFd: number, recordBytes: number): Status;
  ringEpollFd(ring: number): Status;
  ringConsume(ring: number, buffer: Uint8Array, malformed: Uint8Array): Status;
  ringClose(ring: number): Status;
  clockNow(clock: number): bigint;
  clockHealth(): {
    readonly status: Status;
    readonly synchronised: boolean;
    readonly maxErrorUs: number;
    readonly estimatedErrorUs: number;
    readonly taiOffsetS: number;
  };
  clockStepOpen(): Status;
  clockStepTaken(fd: number): Status;
  interfaceInfo(nameOrIndex: string | number): NativeInterface;
  interfaceAddresses(ifindex: number): readonly string[];
  probeProgram(type: number): Status;
  probeMap(type: number): Status;
  probeHelper(programType: number, helper: number): Status;
  probeTcx(): Status;
  probeBatch(): Status;
}

/** One batch call; `count` is a u32 in and out, and valid with ENOENT (the end) too. */
export type NativeBatch = (
  fd: number,
  inBatch: Uint8Array | null,
  outBatch: Uint8Array,
  keys: Uint8Array,
  values: Uint8Array,
  count: Uint8Array,
) => Status;

function load(): Native {
  const path = fileURLToPath(new URL("../build/bpf-runtime.node", import.meta.url));
  if (!existsSync(path)) {
    throw new BpfError("BPF_NOT_BUILT", `load ${path}: not built; run npm run build -w libs/bpf-runtime`, {
      operation: "load addon",
    });
  }
  try {
    return createRequire(import.meta.url)(path) as Native;
  } catch (cause) {
    throw new BpfError("BPF_NOT_BUILT", `load ${path}: ${(cause as Error).message}; is libbpf installed?`, {
      operation: "load addon",
      cause,
    });
  }
}

let loaded: Native | undefined;

/** The addon, loaded at the first use. */
export function native(): Native {
  loaded ??= load();
  return loaded;
}
