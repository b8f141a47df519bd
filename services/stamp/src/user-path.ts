import type { BpfRingBuffer } from "@waymark/bpf-runtime";
import { type Address, type EthernetSpec, type LinkLayer, sameAddress } from "@waymark/packet";
import type { StampRequest } from "../bpf/stamp_reflector.gen.ts";
import type { ReflectorPolicy } from "./reflect/policy.ts";
import { reflect } from "./reflect/reflect.ts";
import type { ReflectorClock } from "./reflect/request.ts";
import { answerFrame, type CapturedRequest, capturedRequest } from "./user-answer.ts";

/** What answers of user space are made with. */
export interface UserPathDependencies {
  readonly policy: ReflectorPolicy;
  readonly clock: () => ReflectorClock;
  readonly layer: LinkLayer;
  readonly stateful: boolean;
  /** The next hop of an answer that does not go back to the sender; undefined if it cannot be sent. */
  readonly wayTo: (source: Address, destination: Address) => EthernetSpec | undefined;
  /** Sends a frame: false if it could not leave. */
  readonly send: (frame: Uint8Array) => boolean;
}

/** Answers the requests that the packet program does not: TLVs to be understood, and requests to be lengthened. */
export class UserPath {
  readonly #deps: UserPathDependencies;
  readonly #counters: Record<string, bigint> = {};

  constructor(deps: UserPathDependencies) {
    this.#deps = deps;
  }

  /** What became of the requests (`user_…`), and of their TLVs (`tlvs_…`). */
  counters(): Readonly<Record<string, bigint>> {
    return { ...this.#counters };
  }

  /** Answers until the ring is closed. */
  async run(ring: BpfRingBuffer<StampRequest>): Promise<void> {
    for await (const batch of ring.batches()) for (const record of batch) this.#answer(record);
  }

  #answer(record: StampRequest): void {
    const { layer, stateful } = this.#deps;
    const captured = capturedRequest(record, layer, stateful);
    if (captured) this.#answerCaptured(captured);
    else this.#count("user_malformed");
  }

  #answerCaptured(captured: CapturedRequest): void {
    const { policy, clock, send, wayTo } = this.#deps;
    const reflection = reflect(captured.request, policy, clock());
    for (const [name, count] of Object.entries(reflection.tlvs)) {
      this.#count(`tlvs_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`, count);
    }
    if (reflection.kind === "none") {
      this.#count(`user_${reflection.reason}`);
      return;
    }
    const { source, destination } = reflection;
    const isElsewhere = !sameAddress(destination.address, captured.request.source.address);
    const nextHop = isElsewhere ? wayTo(source.address, destination.address) : {};
    const sent = nextHop !== undefined && send(answerFrame(captured, reflection, nextHop));
    this.#count(sent ? "user_answered" : "user_send_failed");
  }

  #count(name: string, by = 1): void {
    if (by > 0) this.#counters[name] = (this.#counters[name] ?? 0n) + BigInt(by);
  }
}
