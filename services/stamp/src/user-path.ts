import type { BpfRingBuffer } from "@waymark/bpf-runtime";
import { type Address, type EthernetSpec, type LinkLayer, sameAddress } from "@waymark/packet";
import type { StampRequest } from "../bpf/stamp_reflector.gen.ts";
import type { ReflectorPolicy } from "./reflect/policy.ts";
import { type Answered, reflect } from "./reflect/reflect.ts";
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
  /** With --via-stack: takes requests until the host has let them in, and sends answers by the host's stack. */
  readonly admit?: (captured: CapturedRequest) => void;
  readonly sendByStack?: (answer: Answered) => boolean;
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
    for await (const batch of ring.batches()) for (const record of batch) this.#take(record);
  }

  #take(record: StampRequest): void {
    const { layer, stateful, admit } = this.#deps;
    const captured = capturedRequest(record, layer, stateful);
    if (!captured) this.#count("user_malformed");
    else if (admit) admit(captured);
    else this.answer(captured);
  }

  /** Answers a request, if it is to be answered. */
  answer(captured: CapturedRequest): void {
    const { policy, clock } = this.#deps;
    const reflection = reflect(captured.request, policy, clock());
    for (const [name, count] of Object.entries(reflection.tlvs)) {
      this.#count(`tlvs_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`, count);
    }
    if (reflection.kind === "none") {
      this.#count(`user_${reflection.reason}`);
      return;
    }
    const sent = this.#send(captured, reflection);
    this.#count(sent ? "user_answered" : "user_send_failed");
  }

  #send(captured: CapturedRequest, answer: Answered): boolean {
    const { send, wayTo, sendByStack } = this.#deps;
    if (sendByStack) return sendByStack(answer);
    const { source, destination } = answer;
    const isElsewhere = !sameAddress(destination.address, captured.request.source.address);
    const nextHop = isElsewhere ? wayTo(source.address, destination.address) : {};
    return nextHop !== undefined && send(answerFrame(captured, answer, nextHop));
  }

  #count(name: string, by = 1): void {
    if (by > 0) this.#counters[name] = (this.#counters[name] ?? 0n) + BigInt(by);
  }
}
