import { randomBytes } from "node:crypto";
import { type BpfRingBuffer, interfaceInfo, monotonicNow } from "@waymark/bpf-runtime";
import { Attachment, attachHook, linkHeaderLength, type WallClock } from "@waymark/probe";
import type { StampAnswerTlvs, StampEvent } from "../bpf/stamp_sender.gen.ts";
import type { HmacState } from "./codec/hmac-state.ts";
import { STAMP_PROGRAMS, setKeys } from "./reflector-programs.ts";
import {
  addTarget,
  loadSender,
  type SenderKernelConfig,
  type SenderObject,
  senderCounters,
} from "./sender-programs.ts";
import { wireClock } from "./wire-clock.ts";

/** How to attach. */
export interface SenderMeterOptions {
  readonly device: string;
  readonly clock: WallClock;
  readonly order: "first" | "last";
  readonly taiOffsetS: number;
  /** The operator vouches for the clock. */
  readonly trustClock: boolean;
  readonly config: Omit<SenderKernelConfig, "l2Length" | "cookie" | "leased">;
  /** Of authenticated mode. */
  readonly keys?: ReadonlyMap<number, HmacState>;
}

/** Without a sign of life for so long, programs that outlive the process let packets pass. */
const LEASE_NS = 3_000_000_000n;
const COOKIE_OCTETS = 8;

/** The sender's programs on one interface. */
export class SenderMeter implements Disposable {
  readonly hook: "tcx" | "clsact";
  /** What stands for T1 in packets of ours: 64 bits as a packet has them. */
  readonly cookie: bigint;
  readonly #object: SenderObject;
  readonly #attachments: readonly Attachment[];
  readonly #options: SenderMeterOptions;

  /** @throws when the interface is gone or unsuitable, or the kernel or the privileges do not suffice */
  constructor(options: SenderMeterOptions) {
    const { device, order, config } = options;
    const { ifindex, linkType } = interfaceInfo(device);
    this.#options = options;
    this.hook = attachHook();
    const cookie = randomBytes(COOKIE_OCTETS);
    this.cookie = cookie.readBigUInt64BE();
    this.#object = loadSender({
      ...config,
      l2Length: linkHeaderLength(device, linkType),
      cookie: cookie.readBigUInt64LE(),
      leased: this.hook === "clsact",
    });
    try {
      this.keepAlive();
      if (options.keys) this.setKeys(options.keys);
      const place = { ifindex, hook: this.hook, order, tolerated: STAMP_PROGRAMS };
      this.#attachments = [
        new Attachment(this.#object.program("stamp_collect"), { ...place, direction: "ingress" }),
        new Attachment(this.#object.program("stamp_send"), { ...place, direction: "egress" }),
      ];
    } catch (error) {
      this.#object.close();
      throw error;
    }
  }

  /** Packets to and from this reflector belong to `session`. */
  addTarget(session: number, address: string, port: number): void {
    const { port: localPort } = this.#options.config;
    addTarget(this.#object, session, { address, port, localPort });
  }

  /** Follows the clock, and tells the programs that we live. At least once in three seconds. */
  keepAlive(): void {
    const { clock, config, taiOffsetS, trustClock } = this.#options;
    const lease = { stamp_lease_until_ns: monotonicNow() + LEASE_NS };
    this.#object.data.set({ ...wireClock(clock, config.format, taiOffsetS, trustClock), ...lease });
  }

  /** Packets are signed with these from now on. */
  setKeys(states: ReadonlyMap<number, HmacState>): void {
    setKeys(this.#object, states);
  }

  /** What became of the packets, by reason. */
  counters(): Record<string, bigint> {
    return senderCounters(this.#object);
  }

  /** Departures and answers, in order. One reader. */
  events(): BpfRingBuffer<StampEvent> {
    return this.#object.ringBuffer("events");
  }

  /** TLVs of answers. One reader. */
  answerTlvs(): BpfRingBuffer<StampAnswerTlvs> {
    return this.#object.ringBuffer("answer_tlvs");
  }

  /** Goes back to the place in the chain that was asked for; true if somebody had taken it. */
  keepPlace(): boolean {
    return this.#attachments.map((attachment) => attachment.keepPlace()).includes(true);
  }

  close(): void {
    for (const attachment of [...this.#attachments].reverse()) attachment[Symbol.dispose]();
    this.#object.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
