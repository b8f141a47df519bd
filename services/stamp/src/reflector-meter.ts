import { randomBytes, randomInt } from "node:crypto";
import { type BpfRingBuffer, interfaceCounters, interfaceInfo, monotonicNow } from "@waymark/bpf-runtime";
import type { Address } from "@waymark/packet";
import { Attachment, attachHook, linkHeaderLength, type WallClock } from "@waymark/probe";
import type { StampObserved, StampRequest, StampSessionKey } from "../bpf/stamp_reflector.gen.ts";
import type { HmacState } from "./codec/hmac-state.ts";
import {
  loadReflector,
  type ReflectorKernelConfig,
  type ReflectorObject,
  reflectorCounters,
  STAMP_PROGRAMS,
  setKeys,
  setOwnAddresses,
} from "./reflector-programs.ts";
import { wireClock } from "./wire-clock.ts";

/** Hardware addresses of a frame. */
export interface NextHop {
  readonly source: string;
  readonly destination: string;
}

/** How to attach. */
export interface ReflectorMeterOptions {
  readonly device: string;
  readonly clock: WallClock;
  readonly order: "first" | "last";
  readonly taiOffsetS: number;
  /** The operator vouches for the clock. */
  readonly trustClock: boolean;
  readonly config: Omit<ReflectorKernelConfig, "l2Length" | "ifindex" | "mark" | "cookie" | "leased">;
  /** Of authenticated mode. */
  readonly keys?: ReadonlyMap<number, HmacState>;
}

/** Without a sign of life for so long, programs that outlive the process let packets pass. */
const LEASE_NS = 3_000_000_000n;
const COOKIE_OCTETS = 8;
const MAX_MARK = 0xffff_ffff;

/** The reflector's programs on one interface. */
export class ReflectorMeter implements Disposable {
  readonly hook: "tcx" | "clsact";
  readonly l2Length: number;
  /** What stands for T3 in answers that go by a socket: 64 bits as a packet has them. */
  readonly cookie: bigint;
  readonly #object: ReflectorObject;
  readonly #attachments: Attachment[];
  readonly #ifindex: number;
  #ownAddresses: readonly string[] = [];
  #addressesLeftOut = 0;
  readonly #options: ReflectorMeterOptions;

  /** @throws when the interface is gone or unsuitable, or the kernel or the privileges do not suffice */
  constructor(options: ReflectorMeterOptions) {
    const { device, order, config } = options;
    const { ifindex, linkType } = interfaceInfo(device);
    this.#options = options;
    this.#ifindex = ifindex;
    this.hook = attachHook();
    this.l2Length = linkHeaderLength(device, linkType);
    const mark = randomInt(1, MAX_MARK);
    const octets = randomBytes(COOKIE_OCTETS);
    this.cookie = octets.readBigUInt64BE();
    const ours = { l2Length: this.l2Length, ifindex, mark, cookie: octets.readBigUInt64LE() };
    this.#object = loadReflector({ ...config, ...ours, leased: this.hook === "clsact" });
    try {
      if (options.keys) this.setKeys(options.keys);
      this.keepAlive();
      const place = { ifindex, hook: this.hook, order, tolerated: STAMP_PROGRAMS };
      // T3 first, and last to go: an answer without it must not leave.
      this.#attachments = [
        new Attachment(this.#object.program("stamp_answer"), { ...place, direction: "egress" }),
        new Attachment(this.#object.program("stamp_reflect"), { ...place, direction: "ingress" }),
      ];
    } catch (error) {
      this.#object.close();
      throw error;
    }
  }

  /** The interface's addresses as of the last look. */
  get ownAddresses(): readonly string[] {
    return this.#ownAddresses;
  }

  /** Addresses of the interface that are not answered for: there are too many. */
  get addressesLeftOut(): number {
    return this.#addressesLeftOut;
  }

  /** Follows the clock and the interface's addresses, and tells the programs that we live. At least once in three seconds. */
  keepAlive(): void {
    const { clock, config, taiOffsetS, trustClock } = this.#options;
    const lease = { stamp_lease_until_ns: monotonicNow() + LEASE_NS };
    this.#object.data.set({ ...wireClock(clock, config.format, taiOffsetS, trustClock), ...lease });
    this.#ownAddresses = interfaceInfo(this.#ifindex).addresses;
    this.#addressesLeftOut = setOwnAddresses(this.#object, this.#ownAddresses);
  }

  /** Answers are signed with these from now on. */
  setKeys(states: ReadonlyMap<number, HmacState>): void {
    setKeys(this.#object, states);
  }

  /** What became of the packets for our port, by reason. */
  counters(): Record<string, bigint> {
    return reflectorCounters(this.#object);
  }

  /** What the interface itself has received. */
  interfacePackets(): bigint {
    return interfaceCounters(this.#ifindex).rxPackets;
  }

  /** Requests that user space has to answer. One reader. */
  requests(signal: AbortSignal): BpfRingBuffer<StampRequest> {
    return this.#object.ringBuffer("requests", { signal });
  }

  /** Requests that are answered, if they are to be observed. One reader. */
  observed(signal: AbortSignal): BpfRingBuffer<StampObserved> {
    return this.#object.ringBuffer("observed", { signal });
  }

  /** Sends a whole frame by the interface; T3 and HMAC are written on its way. */
  send(frame: Uint8Array): boolean {
    return this.#object.program("stamp_inject").testRun({ data: frame, dataSizeOut: 0 }).retval === 0;
  }

  /** How an answer gets from one of our addresses to another one; undefined if it cannot by this interface. */
  wayTo(source: Address, destination: Address): NextHop | undefined {
    const nowhere = new Uint8Array(6);
    const ways = this.#object.map("ways");
    ways.set(0, { source, destination, ifindex: 0, source_mac: nowhere, destination_mac: nowhere });
    const { retval } = this.#object.program("stamp_route").testRun();
    const way = ways.get(0);
    if (retval !== 0 || way?.ifindex !== this.#ifindex) return undefined;
    return { source: macText(way.source_mac), destination: macText(way.destination_mac) };
  }

  /** Goes back to the place in the chain that was asked for; true if somebody had taken it. */
  keepPlace(): boolean {
    return this.#attachments.map((attachment) => attachment.keepPlace()).includes(true);
  }

  /** Forgets sessions without requests for so long; what is left. */
  forgetIdleSessions(timeoutNs: bigint): { readonly forgotten: number; readonly open: number } {
    const sessions = this.#object.map("sessions");
    const since = monotonicNow() - timeoutNs;
    const idle: StampSessionKey[] = [];
    let open = 0;
    for (const [key, session] of sessions.entries()) {
      if (session.last_seen_ns < since) idle.push(key);
      else open++;
    }
    for (const key of idle) sessions.delete(key);
    return { forgotten: idle.length, open };
  }

  /** From now on requests pass to the host; answers under way still get their T3, and what was counted stays to be read. */
  takeNoMore(): void {
    while (this.#attachments.length > 1) this.#attachments.pop()?.[Symbol.dispose]();
  }

  close(): void {
    this.takeNoMore();
    this.#attachments.pop()?.[Symbol.dispose]();
    this.#object.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function macText(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(":");
}
