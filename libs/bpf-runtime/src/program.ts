import { constants } from "node:os";
import { attachClsact } from "./clsact.ts";
import { check, closedError, systemError } from "./errors.ts";
import { probeFeature, unsupportedError } from "./feature.ts";
import { interfaceInfo } from "./interface.ts";
import { BpfLink, type Direction, type LinkDetails, type Order } from "./link.ts";
import { native } from "./native.ts";
import { decodeSkb, encodeSkb, SKB_BYTES, type SkbInput, type SkbOutput } from "./skb.ts";
import { TCX_ATTACH_TYPES } from "./tcx.ts";

const XDP = 37;
const BPF_F_BEFORE = 1 << 3;
const BPF_F_AFTER = 1 << 4;
const XDP_GENERIC = 1 << 1;
const XDP_NATIVE = 1 << 2;
/** Input of a test run that needs no packet: long enough to count as one. */
const NO_DATA = 64;
/** How much a program may make a packet longer in a test run. */
const GROWTH = 256;

const { EINVAL, EOPNOTSUPP, EBUSY, EEXIST } = constants.errno;

/** Where a program is attached at TC. */
export interface TcOptions {
  readonly ifindex: number;
  readonly direction: Direction;
  /** Default `first`: other programs' verdicts cannot hide packets. */
  readonly order?: Order;
}

/** Where and by which way. */
export interface AttachTcOptions extends TcOptions {
  /** Default `auto`: TCX if the kernel has it. */
  readonly hook?: "tcx" | "clsact" | "auto";
}

/** Where an XDP program is attached. */
export interface XdpOptions {
  readonly ifindex: number;
  /** Default `auto`: in the driver if that can, else generic. */
  readonly mode?: "native" | "generic" | "auto";
}

/** One run of a program outside any traffic. */
export interface TestRunOptions {
  /** The packet from its Ethernet header on; 64 zero octets unless given. */
  readonly data?: Uint8Array;
  /** Runs; the time is the average. Default 1. */
  readonly repeat?: number;
  /** Fields of the skb before the run. TC programs only. */
  readonly ctx?: SkbInput;
  /** Room for the packet afterwards; default: 256 more than the input. 0: it is not copied. */
  readonly dataSizeOut?: number;
}

/** What a test run did. */
export interface TestRunResult {
  /** The verdict, signed: TC_ACT_UNSPEC is -1. */
  readonly retval: number;
  /** The packet afterwards. */
  readonly data: Uint8Array;
  /** Average of one run. */
  readonly durationNs: number;
  /** Fields of the skb afterwards, if `ctx` was given. */
  readonly ctx?: SkbOutput;
}

/** What the kernel says of a program. */
export interface ProgramInfo {
  readonly id: number;
  /** Instructions after verification. */
  readonly instructions: number;
  /** Counted only while `kernel.bpf_stats_enabled` is 1. */
  readonly runCount: bigint;
  readonly runTimeNs: bigint;
}

/** The object that a program belongs to, as far as the program needs it. */
export interface ProgramOwner {
  isClosed(): boolean;
  own(link: BpfLink): void;
  disown(link: BpfLink): void;
}

/** A loaded program. */
export class BpfProgram {
  readonly name: string;
  readonly #fd: number;
  readonly #owner: ProgramOwner;

  /** Not for users: programs come from an object. */
  constructor(name: string, fd: number, owner: ProgramOwner) {
    this.name = name;
    this.#fd = fd;
    this.#owner = owner;
  }

  /**
   * Attaches as a TCX link, which the kernel removes when this process dies.
   * @throws BpfError BPF_NOT_SUPPORTED before Linux 6.6, BPF_NO_INTERFACE
   */
  attachTcx(options: TcOptions): BpfLink {
    const { ifindex, direction, order = "first" } = options;
    const type = TCX_ATTACH_TYPES[direction];
    const flags = order === "first" ? BPF_F_BEFORE : BPF_F_AFTER;
    const id = native().linkCreate(this.#open("attach tcx"), checkIfindex(ifindex), type, flags);
    if (id === -EINVAL && !probeFeature("tcx").supported)
      throw unsupportedError("tcx", "attach tcx", this.name, EINVAL);
    check(id, "attach tcx", `${this.name} to interface ${ifindex} ${direction}`);
    return this.#link(id, { kind: "tcx", ifindex });
  }

  /** Attaches at TC: a TCX link, or a clsact filter where the kernel has none; `kind` of the link tells which. */
  attachTc(options: AttachTcOptions): BpfLink {
    const { hook = "auto", ifindex, direction, order = "first" } = options;
    if (hook === "tcx" || (hook === "auto" && probeFeature("tcx").supported)) return this.attachTcx(options);
    const place = { ifindex: checkIfindex(ifindex), direction, order };
    const [id, details] = attachClsact(this.#open("attach clsact"), this.name, place);
    return this.#link(id, details);
  }

  /**
   * Attaches as an XDP link, which the kernel removes when this process dies.
   * @throws BpfError BPF_BUSY if there is another XDP program, BPF_NOT_SUPPORTED if the driver has no native mode
   */
  attachXdp(options: XdpOptions): BpfLink {
    const { ifindex, mode = "auto" } = options;
    const fd = this.#open("attach xdp");
    const object = `${this.name} to interface ${ifindex}`;
    let id = mode === "generic" ? -EOPNOTSUPP : native().linkCreate(fd, checkIfindex(ifindex), XDP, XDP_NATIVE);
    if (id >= 0) return this.#link(id, { kind: "xdp-native", ifindex });
    const noNative = id === -EOPNOTSUPP || id === -EINVAL;
    if (mode !== "native" && noNative) id = native().linkCreate(fd, checkIfindex(ifindex), XDP, XDP_GENERIC);
    if (id === -EINVAL) interfaceInfo(ifindex); // how the kernel says that there is none
    if (id === -EEXIST || id === -EBUSY) throw systemError(-EBUSY, "attach xdp", object);
    check(id, "attach xdp", object);
    return this.#link(id, { kind: "xdp-generic", ifindex });
  }

  /** Runs the program on a packet that never was on a network; maps and timers are the real ones. */
  testRun(options: TestRunOptions = {}): TestRunResult {
    const fd = this.#open("test run");
    const data = options.data ?? new Uint8Array(NO_DATA);
    const room = options.dataSizeOut ?? (options.data ? data.length + GROWTH : 0);
    const out = room > 0 ? new Uint8Array(room) : null;
    const ctx = options.ctx ? encodeSkb(options.ctx) : null;
    const ctxOut = ctx ? new Uint8Array(SKB_BYTES) : null;
    const result = native().programTestRun(fd, data, out, ctx, ctxOut, options.repeat ?? 1);
    check(result.status, "test run", `${this.name} with ${data.length} octets`);
    return {
      retval: result.retval | 0,
      data: out ? out.subarray(0, result.dataSize) : new Uint8Array(0),
      durationNs: result.durationNs,
      ...(ctxOut ? { ctx: decodeSkb(ctxOut) } : {}),
    };
  }

  info(): ProgramInfo {
    const { status, ...info } = native().programInfo(this.#open("program info"));
    check(status, "program info", this.name);
    return info;
  }

  #open(operation: string): number {
    if (this.#owner.isClosed()) throw closedError(operation, this.name);
    return this.#fd;
  }

  #link(id: number, details: LinkDetails): BpfLink {
    const link = new BpfLink(id, details, (closed) => this.#owner.disown(closed));
    this.#owner.own(link);
    return link;
  }
}

function checkIfindex(ifindex: number): number {
  if (!Number.isInteger(ifindex) || ifindex < 1) throw new RangeError(`${ifindex} is no interface index`);
  return ifindex;
}
